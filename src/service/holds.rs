//! Who holds the daemon back, and why.

use crate::control::{CommandError, HoldKind};

/// Holds of one client at a time: more are a mistake of the client. Others are not limited by them.
const MAX_PER_CLIENT: usize = 32;

/// The holds in force.
#[derive(Debug, Default)]
pub struct Holds {
    holds: Vec<Hold>,
    last_cookie: u32,
}

#[derive(Debug)]
struct Hold {
    cookie: u32,
    kind: HoldKind,
    owner: String,
}

impl Holds {
    /// Begins a hold; its cookie is never zero and never one in use.
    pub fn begin(&mut self, kind: HoldKind, owner: String) -> Result<u32, CommandError> {
        if self.holds.iter().filter(|hold| hold.owner == owner).count() >= MAX_PER_CLIENT {
            let text = format!("{MAX_PER_CLIENT} holds of yours are in force already; release some");
            return Err(CommandError::Failed(text));
        }
        loop {
            self.last_cookie = self.last_cookie.checked_add(1).unwrap_or(1);
            if self.holds.iter().all(|hold| hold.cookie != self.last_cookie) {
                break;
            }
        }
        self.holds.push(Hold { cookie: self.last_cookie, kind, owner });
        Ok(self.last_cookie)
    }

    /// Ends the hold of this cookie, which must be `owner`'s.
    pub fn release(&mut self, cookie: u32, owner: &str) -> Result<(), CommandError> {
        let index = self.holds.iter().position(|hold| hold.cookie == cookie && hold.owner == owner);
        self.holds.remove(index.ok_or(CommandError::UnknownHold(cookie))?);
        Ok(())
    }

    /// Ends all holds of `owner`; says how many there were.
    pub fn vanished(&mut self, owner: &str) -> usize {
        let before = self.holds.len();
        self.holds.retain(|hold| hold.owner != owner);
        before - self.holds.len()
    }

    /// Ends all holds: their owners are out of reach.
    pub fn clear(&mut self) {
        self.holds.clear();
    }

    /// Whether a hold of this kind is in force.
    pub fn any(&self, kind: HoldKind) -> bool {
        self.holds.iter().any(|hold| hold.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_ends_a_hold() {
        let mut holds = Holds::default();
        let mine = holds.begin(HoldKind::Mute, ":1.1".into()).unwrap();
        let other = holds.begin(HoldKind::Mute, ":1.2".into()).unwrap();
        assert_ne!(mine, other);
        assert!(holds.release(mine, ":1.2").is_err());
        assert!(holds.release(mine + 7, ":1.1").is_err());
        holds.release(mine, ":1.1").unwrap();
        assert!(holds.release(mine, ":1.1").is_err());
        assert!(holds.any(HoldKind::Mute) && !holds.any(HoldKind::Playback));
        assert_eq!(holds.vanished(":1.2"), 1);
        assert!(!holds.any(HoldKind::Mute));
    }

    #[test]
    fn cookies_are_unique_and_holds_are_limited() {
        let mut holds = Holds { last_cookie: u32::MAX - 2, ..Holds::default() };
        let cookies: Vec<_> =
            (0..MAX_PER_CLIENT).map(|_| holds.begin(HoldKind::Playback, ":1.1".into()).unwrap()).collect();
        let distinct: std::collections::HashSet<_> = cookies.iter().collect();
        assert!(distinct.len() == MAX_PER_CLIENT && !cookies.contains(&0));
        assert!(holds.begin(HoldKind::Playback, ":1.1".into()).is_err());
        assert!(holds.begin(HoldKind::Mute, ":1.2".into()).is_ok(), "another client");
    }
}
