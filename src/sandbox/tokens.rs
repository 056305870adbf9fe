//! The account's token and its lifetime.
//!
//! Tokens are derived from the seed and contain no secret. They contain `+` and `/`, like the
//! vendor's.

use chrono::{DateTime, TimeDelta, Utc};

use super::seeded_rng::{SeededRng, mix};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The tokens issued so far; at most one is valid.
#[derive(Debug)]
pub(super) struct Tokens {
    seed: u64,
    lifetime: TimeDelta,
    issued: u64,
    valid: Option<(String, DateTime<Utc>)>,
}

impl Tokens {
    pub(super) fn new(seed: u64, lifetime: TimeDelta) -> Self {
        Self {
            seed,
            lifetime,
            issued: 0,
            valid: None,
        }
    }

    /// Returns the valid token with its lifetime restarted, or a new one.
    pub(super) fn sign_in(&mut self, now: DateTime<Utc>) -> String {
        let until = now
            .checked_add_signed(self.lifetime)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let token = match self.valid.take() {
            Some((token, expiry)) if now < expiry => token,
            _ => {
                self.issued += 1;
                token(mix(self.seed, self.issued))
            }
        };
        self.valid = Some((token.clone(), until));
        token
    }

    /// Whether an `Authorization` header holds the valid token.
    pub(super) fn accepts(&self, header: Option<&[u8]>, now: DateTime<Utc>) -> bool {
        let sent = header.and_then(|header| header.strip_prefix(b"Token "));
        match (&self.valid, sent) {
            (Some((token, expiry)), Some(sent)) => sent == token.as_bytes() && now < *expiry,
            _ => false,
        }
    }

    /// Invalidates the current token.
    pub(super) fn expire(&mut self) {
        self.valid = None;
    }

    pub(super) fn issued(&self) -> u64 {
        self.issued
    }
}

fn token(key: u64) -> String {
    let mut draws = SeededRng::new(key);
    let letter = |place| match place {
        7 => '+',
        19 => '/',
        _ => char::from(LETTERS[(draws.next() & 63) as usize]),
    };
    (0..64).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_again_restarts_the_life_of_the_same_token() {
        let mut tokens = Tokens::new(7, TimeDelta::hours(24));
        let start: DateTime<Utc> = "2024-03-11T00:00:00Z".parse().expect("valid");
        let at = |hours| start + TimeDelta::hours(hours);
        let token = tokens.sign_in(at(0));
        assert!(token.contains('+') && token.contains('/'));
        let header = format!("Token {token}");
        assert!(tokens.accepts(Some(header.as_bytes()), at(23)));
        assert_eq!(tokens.sign_in(at(23)), token);
        assert!(tokens.accepts(Some(header.as_bytes()), at(46)));
        assert!(!tokens.accepts(Some(header.as_bytes()), at(47)));
        assert_ne!(tokens.sign_in(at(47)), token);
        assert_eq!(tokens.issued(), 2);
    }

    #[test]
    fn the_header_has_one_blank_and_the_word_token() {
        let mut tokens = Tokens::new(7, TimeDelta::hours(24));
        let now = DateTime::UNIX_EPOCH;
        let token = tokens.sign_in(now);
        for header in [
            format!("Bearer {token}"),
            format!("Token  {token}"),
            token.clone(),
        ] {
            assert!(!tokens.accepts(Some(header.as_bytes()), now));
        }
        assert!(!tokens.accepts(None, now));
        tokens.expire();
        assert!(!tokens.accepts(Some(format!("Token {token}").as_bytes()), now));
    }
}
