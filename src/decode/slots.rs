//! One entry of `detail`, read whole: the raw values of the call and of the records nested in it, by
//! the slots of the plan, and what has no slot. Nothing is converted here.

use super::plan::{KeyGuess, RecordPlan, Target, plans};
use super::scan::{Kind, Raw, Scanner, SyntaxError};

/// Entries of a nested array whose values are held at once. Those after them are only checked when
/// their call is read, and read again when it is their turn: a call of a few megabytes can hold a
/// million of them.
const SLAB: usize = 16_384;

/// The kind of a stray that is no surprise: kept, but not counted as a misfit.
pub(super) const EXPECTED: &str = "expected";

/// A key and value that no slot takes.
pub(super) struct Stray<'a> {
    /// Of which record.
    pub(super) record: usize,
    pub(super) key: &'a [u8],
    pub(super) key_escaped: bool,
    pub(super) value: Raw<'a>,
    pub(super) kind: &'static str,
}

/// The values of some records of one table, by slot.
#[derive(Default)]
pub(super) struct Slots<'a> {
    width: usize,
    values: Vec<Option<Raw<'a>>>,
    pub(super) strays: Vec<Stray<'a>>,
    pub(super) count: usize,
}

impl<'a> Slots<'a> {
    fn clear(&mut self, plan: &RecordPlan) {
        self.width = plan.slot_keys.len();
        self.values.clear();
        self.strays.clear();
        self.count = 0;
    }

    /// Another record begins.
    fn begin(&mut self) {
        self.values.resize(self.values.len() + self.width, None);
        self.count += 1;
    }

    /// The only record's value.
    pub(super) fn get(&self, slot: usize) -> Option<&Raw<'a>> {
        self.at(0, slot)
    }

    #[inline]
    pub(super) fn at(&self, record: usize, slot: usize) -> Option<&Raw<'a>> {
        self.values[record * self.width + slot].as_ref()
    }

    /// Sets a value of the last record. The last of twins counts; the ones before are kept with
    /// the strays.
    #[inline]
    fn put(&mut self, slot: usize, key: &Raw<'a>, value: Raw<'a>) {
        let place = self.values.len() - self.width + slot;
        if let Some(before) = self.values[place].replace(value) {
            self.stray(key, before, "duplicate_key");
        }
    }

    #[cold]
    fn stray(&mut self, key: &Raw<'a>, value: Raw<'a>, kind: &'static str) {
        self.strays.push(Stray {
            record: self.count - 1,
            key: key.inner(),
            key_escaped: key.escaped,
            value,
            kind,
        });
    }

    /// Keeps a value of the record that has no slot.
    pub(super) fn keep(&mut self, key: &Raw<'a>, value: Raw<'a>, kind: &'static str) {
        self.stray(key, value, kind);
    }
}

/// The entries of one nested array of a call.
#[derive(Default)]
pub(super) struct Entries<'a> {
    /// Of the first ones.
    pub(super) slots: Slots<'a>,
    seen: Option<Raw<'a>>,
    /// Those after them: how many, and the text from the first of them on.
    pub(super) rest: (usize, &'a [u8]),
}

impl Entries<'_> {
    pub(super) fn count(&self) -> usize {
        self.slots.count + self.rest.0
    }

    fn clear(&mut self, plan: &RecordPlan) {
        self.slots.clear(plan);
        self.seen = None;
        self.rest = Default::default();
    }
}

/// One entry of `detail` and the arrays in it, as slots.
#[derive(Default)]
pub(super) struct CallRecord<'a> {
    pub(super) call: Slots<'a>,
    pub(super) nested: Vec<Entries<'a>>,
    guess: KeyGuess<'a>,
    nested_guess: Vec<KeyGuess<'a>>,
}

impl<'a> CallRecord<'a> {
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> Result<(), String> {
        let plans = plans();
        self.nested
            .resize_with(plans.nested.len(), Entries::default);
        self.nested_guess
            .resize_with(plans.nested.len(), KeyGuess::default);
        for (entries, plan) in self.nested.iter_mut().zip(&plans.nested) {
            entries.clear(plan);
        }
        self.call.clear(&plans.call);
        self.call.begin();
        let mut scanner = Scanner::new(bytes);
        if !scanner.take(b'{') {
            return Err("it is not an object".to_owned());
        }
        self.read_call(&mut scanner)
            .and_then(|()| scanner.end())
            .map_err(|e| e.to_string())
    }

    fn read_call(&mut self, scanner: &mut Scanner<'a>) -> Result<(), SyntaxError> {
        let plans = plans();
        self.guess.rewind();
        let mut first = true;
        while let Some((key, target)) = self.guess.next((&plans.call, first), scanner)? {
            first = false;
            match target {
                Target::Slot(slot) => self.call.put(slot, &key, scanner.value()?),
                Target::Unknown => self.call.stray(&key, scanner.value()?, "unknown_key"),
                Target::Nested(index) => {
                    let entries = &mut self.nested[index];
                    if let Some(before) = entries.seen.take() {
                        self.call.stray(&key, before, "duplicate_key");
                        entries.clear(&plans.nested[index]);
                    }
                    if scanner.peek() == Some(b'[') {
                        let plan = &plans.nested[index];
                        let guess = &mut self.nested_guess[index];
                        entries.seen = Some(read_entries(scanner, plan, guess, entries)?);
                    } else {
                        let value = scanner.value()?;
                        let empty = value.kind == Kind::Object
                            && value.token[1..value.token.len() - 1]
                                .trim_ascii()
                                .is_empty();
                        if !value.is_empty() && !empty {
                            self.call.stray(&key, value, "not_an_array");
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads an array's entries, and gives the array as it stands.
fn read_entries<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
    guess: &mut KeyGuess<'a>,
    entries: &mut Entries<'a>,
) -> Result<Raw<'a>, SyntaxError> {
    let start = scanner.position();
    let mut escaped = false;
    let mut deep = false;
    scanner.take(b'[');
    let mut first = true;
    while scanner.entry(first)? {
        first = false;
        if entries.slots.count == SLAB {
            if entries.rest.0 == 0 {
                entries.rest.1 = scanner.rest();
            }
            entries.rest.0 += 1;
            let value = scanner.value()?;
            escaped |= value.escaped;
            deep |= value.deep;
            continue;
        }
        let value = read_entry(scanner, plan, guess, &mut entries.slots)?;
        escaped |= value.0;
        deep |= value.1;
    }
    Ok(Raw {
        kind: Kind::Array,
        escaped,
        deep,
        token: scanner.since(start),
    })
}

/// Reads one entry; says whether anything in it is escaped, and whether it is deep.
#[inline]
fn read_entry<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
    guess: &mut KeyGuess<'a>,
    slots: &mut Slots<'a>,
) -> Result<(bool, bool), SyntaxError> {
    let (mut escaped, mut deep) = (false, false);
    slots.begin();
    if !scanner.take(b'{') {
        let value = scanner.value()?;
        escaped |= value.escaped;
        deep |= value.deep;
        slots.strays.push(Stray {
            record: slots.count - 1,
            key: b"$entry",
            key_escaped: false,
            value,
            kind: "not_an_object",
        });
        return Ok((escaped, deep));
    }
    guess.rewind();
    let mut first_key = true;
    while let Some((key, target)) = guess.next((plan, first_key), scanner)? {
        first_key = false;
        let value = scanner.value()?;
        escaped |= key.escaped || value.escaped;
        deep |= value.deep;
        match target {
            Target::Slot(slot) => slots.put(slot, &key, value),
            Target::Nested(_) | Target::Unknown => slots.stray(&key, value, "unknown_key"),
        }
    }
    Ok((escaped, deep))
}

/// Reads one object into slots; nested tables' keys are plain strays, for a record without rows
/// of its own kind below it.
pub(super) fn read_object<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
) -> Result<(Slots<'a>, Vec<(Raw<'a>, Raw<'a>)>), SyntaxError> {
    let mut slots = Slots::default();
    slots.clear(plan);
    slots.begin();
    let mut nested = Vec::new();
    let mut guess = KeyGuess::default();
    let mut first = true;
    while let Some((key, target)) = guess.next((plan, first), scanner)? {
        first = false;
        let value = scanner.value()?;
        match target {
            Target::Slot(slot) => slots.put(slot, &key, value),
            Target::Unknown => slots.stray(&key, value, "unknown_key"),
            Target::Nested(_) => nested.push((key, value)),
        }
    }
    Ok((slots, nested))
}

/// The entries of a nested array that were only checked, slab by slab.
pub(super) struct RestOfEntries<'a> {
    left: usize,
    scanner: Scanner<'a>,
    guess: KeyGuess<'a>,
    slots: Slots<'a>,
    first: bool,
}

impl<'a> RestOfEntries<'a> {
    pub(super) fn new(entries: &Entries<'a>) -> Self {
        Self {
            left: entries.rest.0,
            scanner: Scanner::new(entries.rest.1),
            guess: KeyGuess::default(),
            slots: Slots::default(),
            first: true,
        }
    }

    pub(super) fn next_slab(&mut self, plan: &RecordPlan) -> Option<&Slots<'a>> {
        self.slots.clear(plan);
        while self.left > 0 && self.slots.count < SLAB {
            let Self {
                scanner,
                guess,
                slots,
                ..
            } = self;
            scanner
                .entry(self.first)
                .and_then(|_| read_entry(scanner, plan, guess, slots))
                .expect("it was found right when its call was read");
            self.first = false;
            self.left -= 1;
        }
        (self.slots.count > 0).then_some(&self.slots)
    }
}
