//! One entry of `detail`, read whole: the raw values of the call and its nested records, by the
//! plan's slots, and the fields without a slot. Does no conversion.

use super::column_reader::{SlotFlags, SlotsOfRecords};
use super::extra::Misfits;
use super::misfit_kind::MisfitKind;
use super::plan::{KeyGuess, RecordPlan, Target, plans};
use super::scan::{Kind, RawValue, Scanner, SyntaxError};

/// Entries of a nested array whose values are held at once. Later entries are only validated when
/// their call is read, and read again when their turn comes: a call of a few megabytes can hold a
/// million of them.
const SLAB: usize = 16_384;

/// Marks a slot whose key had two different values; every column reads it as null. No value of a
/// response has an empty token.
const CONTRADICTED: RawValue<'static> = RawValue {
    kind: Kind::Null,
    escaped: false,
    unportable: false,
    token: b"",
};

/// A key and value without a slot.
#[derive(Clone)]
pub(super) struct UnmappedField<'a> {
    /// Index of its record.
    pub(super) record: usize,
    pub(super) key: &'a [u8],
    pub(super) key_escaped: bool,
    pub(super) value: RawValue<'a>,
    pub(super) kind: MisfitKind,
}

fn is_contradicted(raw: &RawValue<'_>) -> bool {
    raw.kind == Kind::Null && raw.token.is_empty()
}

/// Whether two values are equal: the same text, escapes aside.
pub(super) fn same_value(one: &RawValue<'_>, other: &RawValue<'_>) -> bool {
    let is_escaped_text = |raw: &RawValue<'_>| raw.kind == Kind::String && raw.escaped;
    let text = |raw: &RawValue<'_>| {
        if raw.escaped {
            raw.undone()
        } else {
            Some(raw.inner().to_vec())
        }
    };
    one.token == other.token
        || (one.kind == other.kind
            && (is_escaped_text(one) || is_escaped_text(other))
            && text(one).is_some_and(|one| text(other) == Some(one)))
}

/// The values of some records of one table, by slot.
#[derive(Clone, Default)]
pub(super) struct RawRecords<'a> {
    width: usize,
    values: Vec<Option<RawValue<'a>>>,
    pub(super) unmapped: Vec<UnmappedField<'a>>,
    pub(super) count: usize,
}

impl<'a> RawRecords<'a> {
    fn clear(&mut self, plan: &RecordPlan) {
        self.width = plan.slot_keys.len();
        self.values.clear();
        self.unmapped.clear();
        self.count = 0;
    }

    /// Starts another record.
    fn begin(&mut self) {
        self.values.resize(self.values.len() + self.width, None);
        self.count += 1;
    }

    /// The value of the only record.
    pub(super) fn get(&self, slot: usize) -> Option<&RawValue<'a>> {
        self.at(0, slot)
    }

    #[inline]
    pub(super) fn at(&self, record: usize, slot: usize) -> Option<&RawValue<'a>> {
        self.values[record * self.width + slot].as_ref()
    }

    /// The slots of all records, for columns to read. `flags` has one entry per record.
    pub(super) fn slots<'w>(
        &'w self,
        plan: &'w RecordPlan,
        flags: &'w mut [SlotFlags],
        misfits: &'w mut Misfits,
    ) -> SlotsOfRecords<'w, 'a> {
        SlotsOfRecords {
            values: &self.values,
            slot_keys: &plan.slot_keys,
            shared_slots: plan.shared_slots,
            flags,
            misfits,
            table: plan.table.name,
        }
    }

    /// Sets a value of the last record.
    #[inline]
    fn put(&mut self, slot: usize, key: &RawValue<'a>, value: RawValue<'a>) {
        let place = self.values.len() - self.width + slot;
        if let Some(before) = self.values[place].replace(value) {
            self.merge_duplicate(place, key, before, value);
        }
    }

    /// Handles a repeated key. The slot keeps the common value, or the non-null one if the other is
    /// null; if they differ, it keeps neither. Values that it does not keep become unmapped fields.
    #[cold]
    fn merge_duplicate(
        &mut self,
        place: usize,
        key: &RawValue<'a>,
        before: RawValue<'a>,
        value: RawValue<'a>,
    ) {
        let (kept, unmapped) = if is_contradicted(&before) {
            (before, [None, Some(value)])
        } else if before.kind == Kind::Null || same_value(&before, &value) {
            (value, [Some(before), None])
        } else if value.kind == Kind::Null {
            (before, [None, Some(value)])
        } else {
            (CONTRADICTED, [Some(before), Some(value)])
        };
        self.values[place] = Some(kept);
        for field in unmapped.into_iter().flatten() {
            self.keep_unmapped(key, field, MisfitKind::DuplicateKey);
        }
    }

    /// Whether the only record has two different values for this slot's key.
    pub(super) fn is_contradicted(&self, slot: usize) -> bool {
        self.get(slot).is_some_and(is_contradicted)
    }

    /// Moves a value of the only record out of its slot, as a misfit.
    #[cold]
    pub(super) fn refuse(&mut self, slot: usize, key: &'static str, kind: MisfitKind) {
        if let Some(value) = self.values.get_mut(slot).and_then(Option::take) {
            self.unmapped.push(UnmappedField {
                record: 0,
                key: key.as_bytes(),
                key_escaped: false,
                value,
                kind,
            });
        }
    }

    /// Keeps a value of the last record that has no slot.
    #[cold]
    pub(super) fn keep_unmapped(
        &mut self,
        key: &RawValue<'a>,
        value: RawValue<'a>,
        kind: MisfitKind,
    ) {
        self.unmapped.push(UnmappedField {
            record: self.count - 1,
            key: key.inner(),
            key_escaped: key.escaped,
            value,
            kind,
        });
    }
}

/// The entries of one nested array of a call.
#[derive(Default)]
pub(super) struct Entries<'a> {
    /// The first entries.
    pub(super) records: RawRecords<'a>,
    seen: Option<RawValue<'a>>,
    /// Whether the array occurred twice with different entries: it then has no rows.
    contradicted: bool,
    /// The later entries: their number, and the text from the first of them on.
    pub(super) rest: (usize, &'a [u8]),
}

impl Entries<'_> {
    pub(super) fn count(&self) -> usize {
        self.records.count + self.rest.0
    }

    fn clear(&mut self, plan: &RecordPlan) {
        self.records.clear(plan);
        self.seen = None;
        self.contradicted = false;
        self.rest = Default::default();
    }
}

/// One entry of `detail` and its nested arrays.
#[derive(Default)]
pub(super) struct CallRecord<'a> {
    pub(super) call: RawRecords<'a>,
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
        while let Some((key, target)) = self.guess.next(&plans.call, first, scanner)? {
            first = false;
            match target {
                Target::Slot(slot) => self.call.put(slot, &key, scanner.value()?),
                Target::Unknown => {
                    self.call
                        .keep_unmapped(&key, scanner.value()?, MisfitKind::UnknownKey);
                }
                Target::Nested(index) => {
                    let entries = &mut self.nested[index];
                    if scanner.peek() != Some(b'[') {
                        let value = scanner.value()?;
                        if !value.is_empty() && !value.is_bare() {
                            self.call.keep_unmapped(&key, value, MisfitKind::NotAnArray);
                        }
                    } else if entries.seen.is_some() || entries.contradicted {
                        let value = scanner.value()?;
                        self.merge_duplicate_array(index, &key, value)?;
                    } else {
                        let plan = &plans.nested[index];
                        let guess = &mut self.nested_guess[index];
                        entries.seen = Some(read_entries(scanner, plan, guess, entries)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Handles a repeated nested array by the rule of [`RawRecords::merge_duplicate`]; an array without entries
    /// counts as null.
    #[cold]
    fn merge_duplicate_array(
        &mut self,
        index: usize,
        key: &RawValue<'a>,
        value: RawValue<'a>,
    ) -> Result<(), SyntaxError> {
        let plan = &plans().nested[index];
        let entries = &mut self.nested[index];
        let Some(before) = entries.seen else {
            self.call
                .keep_unmapped(key, value, MisfitKind::DuplicateKey);
            return Ok(());
        };
        if value.is_bare() || value.token == before.token {
            self.call
                .keep_unmapped(key, value, MisfitKind::DuplicateKey);
        } else if before.is_bare() {
            self.call
                .keep_unmapped(key, before, MisfitKind::DuplicateKey);
            let mut scanner = Scanner::new(value.token);
            let guess = &mut self.nested_guess[index];
            entries.seen = Some(read_entries(&mut scanner, plan, guess, entries)?);
        } else {
            self.call
                .keep_unmapped(key, before, MisfitKind::DuplicateKey);
            self.call
                .keep_unmapped(key, value, MisfitKind::DuplicateKey);
            entries.clear(plan);
            entries.contradicted = true;
        }
        Ok(())
    }
}

/// Reads an array's entries and returns the array's raw value.
fn read_entries<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
    guess: &mut KeyGuess<'a>,
    entries: &mut Entries<'a>,
) -> Result<RawValue<'a>, SyntaxError> {
    let start = scanner.position();
    let mut escaped = false;
    let mut unportable = false;
    scanner.take(b'[');
    let mut first = true;
    while scanner.entry(first)? {
        first = false;
        if entries.records.count == SLAB {
            if entries.rest.0 == 0 {
                entries.rest.1 = scanner.rest();
            }
            entries.rest.0 += 1;
            let value = scanner.value()?;
            escaped |= value.escaped;
            unportable |= value.unportable;
            continue;
        }
        let value = read_entry(scanner, plan, guess, &mut entries.records)?;
        escaped |= value.0;
        unportable |= value.1;
    }
    Ok(RawValue {
        kind: Kind::Array,
        escaped,
        unportable,
        token: scanner.since(start),
    })
}

/// Reads one entry; returns whether any part is escaped, and whether any part is unportable.
#[inline]
fn read_entry<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
    guess: &mut KeyGuess<'a>,
    records: &mut RawRecords<'a>,
) -> Result<(bool, bool), SyntaxError> {
    let (mut escaped, mut unportable) = (false, false);
    records.begin();
    if !scanner.take(b'{') {
        let value = scanner.value()?;
        escaped |= value.escaped;
        unportable |= value.unportable;
        records.unmapped.push(UnmappedField {
            record: records.count - 1,
            key: b"$entry",
            key_escaped: false,
            value,
            kind: MisfitKind::NotAnObject,
        });
        return Ok((escaped, unportable));
    }
    guess.rewind();
    let mut first_key = true;
    while let Some((key, target)) = guess.next(plan, first_key, scanner)? {
        first_key = false;
        let value = scanner.value()?;
        escaped |= key.escaped || value.escaped;
        unportable |= value.unportable;
        match target {
            Target::Slot(slot) => records.put(slot, &key, value),
            Target::Nested(_) | Target::Unknown => {
                records.keep_unmapped(&key, value, MisfitKind::UnknownKey);
            }
        }
    }
    Ok((escaped, unportable))
}

/// Reads one object. For a record without nested tables, their keys are ordinary unmapped fields.
pub(super) fn read_object<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
) -> Result<(RawRecords<'a>, Vec<(RawValue<'a>, RawValue<'a>)>), SyntaxError> {
    let mut records = RawRecords::default();
    records.clear(plan);
    records.begin();
    let mut nested = Vec::new();
    let mut guess = KeyGuess::default();
    let mut first = true;
    while let Some((key, target)) = guess.next(plan, first, scanner)? {
        first = false;
        let value = scanner.value()?;
        match target {
            Target::Slot(slot) => records.put(slot, &key, value),
            Target::Unknown => records.keep_unmapped(&key, value, MisfitKind::UnknownKey),
            Target::Nested(_) => nested.push((key, value)),
        }
    }
    Ok((records, nested))
}

/// The entries of a nested array that were only validated, slab by slab.
pub(super) struct RestOfEntries<'a> {
    left: usize,
    scanner: Scanner<'a>,
    guess: KeyGuess<'a>,
    records: RawRecords<'a>,
    first: bool,
}

impl<'a> RestOfEntries<'a> {
    pub(super) fn new(entries: &Entries<'a>) -> Self {
        Self {
            left: entries.rest.0,
            scanner: Scanner::new(entries.rest.1),
            guess: KeyGuess::default(),
            records: RawRecords::default(),
            first: true,
        }
    }

    pub(super) fn next_slab(&mut self, plan: &RecordPlan) -> Option<&RawRecords<'a>> {
        self.records.clear(plan);
        while self.left > 0 && self.records.count < SLAB {
            let Self {
                scanner,
                guess,
                records,
                ..
            } = self;
            scanner
                .entry(self.first)
                .and_then(|_| read_entry(scanner, plan, guess, records))
                .expect("it was found right when its call was read");
            self.first = false;
            self.left -= 1;
        }
        (self.records.count > 0).then_some(&self.records)
    }
}
