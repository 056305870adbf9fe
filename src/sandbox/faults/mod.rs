//! Faults on demand: which ones, how often, and at which request.
//!
//! Whether a request fails follows from the seed, its subject (a task, a page of a listing) and
//! how often that subject was asked for, so a repeated run meets the same trouble whatever the
//! order of its requests. No subject fails more than a few times in a row: runs end.
//!
//! A *quirk* doesn't pass: whether a listing, an item, a task or an answer has it follows from the
//! seed and from what it is, and it has it for good.
//!
//! ```
//! use airudder_export::sandbox::{FaultKind, Faults};
//! let faults: Faults = "http_503,reset:0.3,total:off=-1,item:no_id:0.1".parse()?;
//! assert_eq!(faults.kinds, [FaultKind::Http503, FaultKind::Reset]);
//! assert_eq!(faults.rate, 0.3);
//! assert_eq!(faults.quirks[0].kind, FaultKind::TotalOff);
//! assert_eq!((faults.quirks[0].number, faults.quirks[0].share), (-1, 1.0));
//! assert_eq!((faults.quirks[1].kind, faults.quirks[1].share), (FaultKind::ItemNoId, 0.1));
//! # Ok::<(), airudder_export::sandbox::FaultsError>(())
//! ```

mod kind;
mod log;
mod quirks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::str::FromStr;

pub use kind::{FaultFamily, FaultKind};
pub(super) use log::{Fault, FaultLog, Place};
pub(super) use quirks::Quirks;

/// Which faults are injected, and into how many requests.
///
/// Written as terms with commas between them. A term is `NAME`, `NAME:SHARE` or `NAME=N:SHARE`;
/// a name is that of a kind (`reset`, `total:page`), or of a family (`total`, `gateway`), or `all`
/// for every kind without a colon, or `none`. A share, from 0 to 1, counts for its name and for
/// those of the same family before it that have none, taken together: with `reset,html:0.1` a
/// tenth of the requests fails. Requests that fail have one share: 0.2 unless given.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Share of requests with a fault, 0 to 1.
    pub rate: f64,
    /// The kinds to choose from.
    pub kinds: Vec<FaultKind>,
    /// No subject (task, page) has more faults in a row. Default 3.
    pub max_in_a_row: u32,
    /// What is odd for good.
    pub quirks: Vec<Quirk>,
}

/// Something odd that doesn't pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quirk {
    /// What.
    pub kind: FaultKind,
    /// The share of what it may concern, 0 to 1 ([`FaultFamily::share_of`]).
    pub share: f64,
    /// The number that belongs to it; 0 if it takes none.
    pub number: i64,
}

impl Faults {
    /// Share of requests when none is given.
    pub const DEFAULT_RATE: f64 = 0.2;

    /// A vendor in good health.
    #[must_use]
    pub fn none() -> Self {
        Self {
            rate: 0.0,
            kinds: Vec::new(),
            max_in_a_row: 3,
            quirks: Vec::new(),
        }
    }

    /// Every kind of request that fails and passes, in this share of requests.
    #[must_use]
    pub fn all(rate: f64) -> Self {
        Self {
            rate,
            kinds: FaultFamily::Request.kinds().collect(),
            ..Self::none()
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

/// Why a text is no [`Faults`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultsError {
    /// Not a kind.
    #[error("read the faults: {0:?} is not one of all, none, {names}", names = names())]
    Kind(String),
    /// Not a kind of a family.
    #[error(
        "read the faults: {text:?} is not one of {names}",
        names = family_names(family)
    )]
    KindOf {
        /// The family.
        family: &'static str,
        /// What was written.
        text: String,
    },
    /// Not a share.
    #[error("read the faults: the rate {0:?} is not a number from 0 to 1, as in all:0.2")]
    Rate(String),
    /// Two shares of requests.
    #[error("read the faults: requests fail at one rate, and these are two: {0} and {1}")]
    Rates(String, String),
    /// Not a number the kind takes.
    #[error("read the faults: {kind} does not take the number {number:?}")]
    Number {
        /// The kind.
        kind: &'static str,
        /// What was written.
        number: String,
    },
}

fn names() -> String {
    let plain = FaultFamily::Request.kinds().map(FaultKind::name);
    let mut families: Vec<&str> = FaultFamily::ALL
        .iter()
        .filter(|family| **family != FaultFamily::Request)
        .map(|family| family.name())
        .collect();
    families.dedup();
    families.sort_unstable();
    families.dedup();
    let plain: Vec<&str> = plain.collect();
    format!(
        "{}, or of the families {}, which `sandbox --help` lists",
        plain.join(", "),
        families.join(", ")
    )
}

fn family_names(family: &str) -> String {
    let kinds = FaultFamily::ALL
        .into_iter()
        .filter(|one| one.name() == family)
        .flat_map(FaultFamily::kinds);
    kinds.map(FaultKind::name).collect::<Vec<_>>().join(", ")
}

/// A name of the text, and what stands behind it.
struct Term {
    family: FaultFamily,
    kinds: Vec<(FaultKind, i64)>,
    share: Option<f64>,
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut terms: Vec<Term> = Vec::new();
        for text in text.split(',').map(str::trim) {
            let (families, share) = parse_term(text)?;
            for (family, kinds) in families {
                // A share counts for the names before it, too.
                let before = terms
                    .iter_mut()
                    .rev()
                    .filter(|term| pool(term.family) == pool(family))
                    .take_while(|term| term.share.is_none());
                if share.is_some() {
                    before.for_each(|term| term.share = share);
                }
                terms.push(Term {
                    family,
                    kinds,
                    share,
                });
            }
        }
        Self::of_terms(&terms)
    }
}

impl Faults {
    fn of_terms(terms: &[Term]) -> Result<Self, FaultsError> {
        let mut faults = Self::none();
        let mut rate = None;
        // How many kinds take part in a share, by family and share.
        let mut parts: BTreeMap<(FaultFamily, u64), u32> = BTreeMap::new();
        let share_of = |term: &Term| {
            let share = term.share.unwrap_or(term.family.default_share());
            (share, (term.family, share.to_bits()))
        };
        for term in terms {
            if !term.family.passes() {
                *parts.entry(share_of(term).1).or_default() +=
                    u32::try_from(term.kinds.len()).unwrap_or(u32::MAX);
                continue;
            }
            faults
                .kinds
                .extend(term.kinds.iter().map(|(kind, _)| *kind));
            if let Some(share) = term.share
                && let Some(other) = rate.replace(share)
                && other.to_bits() != share.to_bits()
            {
                return Err(FaultsError::Rates(other.to_string(), share.to_string()));
            }
        }
        faults.rate = rate.unwrap_or(Self::DEFAULT_RATE);
        faults.kinds.sort_unstable();
        faults.kinds.dedup();
        for term in terms.iter().filter(|term| !term.family.passes()) {
            let (share, key) = share_of(term);
            let share = share / f64::from(parts[&key].max(1));
            let quirks = term.kinds.iter().map(|&(kind, number)| Quirk {
                kind,
                share,
                number,
            });
            faults.quirks.extend(quirks);
        }
        Ok(faults)
    }
}

/// Names that a share is shared by.
fn pool(family: FaultFamily) -> FaultFamily {
    if family.passes() {
        FaultFamily::Request
    } else {
        family
    }
}

type Families = Vec<(FaultFamily, Vec<(FaultKind, i64)>)>;

/// `NAME`, `NAME:SHARE` or `NAME=N:SHARE`.
fn parse_term(text: &str) -> Result<(Families, Option<f64>), FaultsError> {
    let pieces: Vec<&str> = text.split(':').map(str::trim).collect();
    let (first, rest) = pieces.split_first().expect("a split has a first piece");
    let family = plain(first);
    let of_family: Vec<FaultFamily> = FaultFamily::ALL
        .into_iter()
        .filter(|one| one.name() == family)
        .collect();
    let (families, share) = match (rest, of_family.is_empty()) {
        // A family, alone or with a share; a share that is none may have been meant as a kind.
        (_, false) if is_whole_family(&family, rest) => {
            let all = |family: FaultFamily| {
                let number = |kind: FaultKind| (kind, kind.default_number().unwrap_or_default());
                (family, family.kinds().map(number).collect())
            };
            (of_family.into_iter().map(all).collect(), rest.first())
        }
        ([] | [_], true) => {
            let families = match family.as_str() {
                "none" => Vec::new(),
                _ => vec![parse_kind(first)?],
            };
            (families, rest.first())
        }
        ([form, share @ ..], false) if share.len() < 2 => {
            let kind = format!("{family}:{form}");
            let kind = parse_kind(&kind).map_err(|error| match error {
                FaultsError::Kind(text) => FaultsError::KindOf {
                    family: of_family[0].name(),
                    text,
                },
                error => error,
            })?;
            (vec![kind], share.first())
        }
        _ => return Err(FaultsError::Kind(text.to_owned())),
    };
    let share = share.map(|share| parse_rate(share)).transpose()?;
    Ok((families, share))
}

fn is_whole_family(family: &str, rest: &[&str]) -> bool {
    match rest {
        [] => true,
        [share] => family == "all" || share.parse::<f64>().is_ok() && !is_kind(family, share),
        _ => false,
    }
}

fn is_kind(family: &str, form: &str) -> bool {
    let name = format!("{family}:{form}");
    FaultKind::ALL.iter().any(|kind| kind.name() == name)
}

fn plain(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

fn parse_kind(text: &str) -> Result<(FaultFamily, Vec<(FaultKind, i64)>), FaultsError> {
    let (name, number) = match text.split_once('=') {
        Some((name, number)) => (name, Some(number)),
        None => (text, None),
    };
    let known = plain(name);
    let kind = FaultKind::ALL
        .iter()
        .copied()
        .find(|kind| kind.name() == known)
        .ok_or_else(|| FaultsError::Kind(name.to_owned()))?;
    let number = match number {
        None => kind.default_number().unwrap_or_default(),
        Some(number) => number
            .parse()
            .ok()
            .filter(|number| kind.takes(*number))
            .ok_or_else(|| FaultsError::Number {
                kind: kind.name(),
                number: number.to_owned(),
            })?,
    };
    Ok((kind.family(), vec![(kind, number)]))
}

fn parse_rate(text: &str) -> Result<f64, FaultsError> {
    match text.trim().parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err(FaultsError::Rate(text.to_owned())),
    }
}
