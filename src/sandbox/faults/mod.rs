//! Fault injection: which faults, how often, and at which request.
//!
//! Whether a request fails depends on the seed, its subject (a task, a page of a listing) and how
//! often that subject was requested, so a repeated run meets the same faults whatever the order of
//! its requests. The number of consecutive faults per subject is bounded, so runs end.
//!
//! A *quirk* is permanent: whether a listing, an item, a task or a response has it depends on the
//! seed and its identity.
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

/// The faults to inject, and the share of requests.
///
/// Written as comma-separated terms. A term is `NAME`, `NAME:SHARE` or `NAME=N:SHARE`; a name is a
/// kind (`reset`, `total:page`), a family (`total`, `gateway`), `all` for every kind without a
/// colon, or `none`. A share, from 0 to 1, applies to its name and to the preceding names of the
/// same family without a share, in total: with `reset,html:0.1` a tenth of the requests fails.
/// Request faults have a single share: 0.2 by default.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Share of requests with a fault, 0 to 1.
    pub rate: f64,
    /// The kinds to choose from.
    pub kinds: Vec<FaultKind>,
    /// Maximum number of consecutive faults per subject (task, page). Default 3.
    pub max_in_a_row: u32,
    /// The permanent deviations, in the order in which they were given.
    pub quirks: Vec<Quirk>,
}

/// A permanent deviation of the vendor, and how often it occurs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quirk {
    /// The kind of the deviation.
    pub kind: FaultKind,
    /// The share of its population, 0 to 1 ([`FaultFamily::share_of`]).
    pub share: f64,
    /// Its number; 0 if it takes none.
    pub number: i64,
}

impl Faults {
    /// The default share of requests.
    pub const DEFAULT_RATE: f64 = kind::DEFAULT_RATE;

    /// A vendor without faults and quirks.
    #[must_use]
    pub fn none() -> Self {
        Self {
            rate: 0.0,
            kinds: Vec::new(),
            max_in_a_row: 3,
            quirks: Vec::new(),
        }
    }

    /// Every kind of request fault that passes, in this share of requests.
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

/// Why a text is not a valid [`Faults`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultsError {
    /// Not a known kind.
    #[error("read the faults: {0:?} is not one of all, none, {names}", names = names())]
    Kind(String),
    /// Not a kind of this family.
    #[error(
        "read the faults: {text:?} is not one of {names}",
        names = family_names(family)
    )]
    KindOf {
        /// The family.
        family: &'static str,
        /// The given text.
        text: String,
    },
    /// Not a valid share.
    #[error("read the faults: the rate {0:?} is not a number from 0 to 1, as in all:0.2")]
    Rate(String),
    /// Two different shares of requests.
    #[error("read the faults: requests fail at one rate, and these are two: {0} and {1}")]
    Rates(String, String),
    /// Not a number that the kind accepts.
    #[error("read the faults: {kind} does not take the number {number:?}")]
    Number {
        /// The kind.
        kind: &'static str,
        /// The given number.
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

/// A name and its share or number.
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
                // A share applies to the preceding names, too.
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
        // Number of kinds that divide a share, by family and share.
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

/// The family under which names divide a share.
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
        // A family, alone or with a share. An invalid share may have been meant as a kind.
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
