//! Shares of a list of work for several machines, and the list put together again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Every `count`-th of a list: neighbours, which tend to be alike in size, go to different machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Counted from one.
    number: usize,
    count: usize,
}

/// A text that names no shard.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no shard: use I/N, the I-th of N, from 1/N to N/N")]
pub struct ShardError(String);

/// Shares that are not those of one list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JoinError {
    /// The shards are of different runs.
    #[error("shard {0} and shard {1} are not of one run: the number of shards differs")]
    Counts(Shard, Shard),
    /// A shard was given twice.
    #[error("shard {0} is there twice")]
    Twice(Shard),
    /// A shard was not given.
    #[error("shard {0} is missing")]
    Missing(Shard),
    /// The runs were over different lists.
    #[error("shard {shard} holds {found}, and of the list of all shards it would be {expected}")]
    Length { shard: Shard, found: usize, expected: usize },
}

impl Shard {
    /// The only one of a list that is not shared.
    pub const ALL: Self = Self { number: 1, count: 1 };

    /// Its share of `list`.
    pub fn of<T>(self, list: Vec<T>) -> Vec<T> {
        list.into_iter().skip(self.number - 1).step_by(self.count).collect()
    }
}

/// The list whose shares these are, in any order.
pub fn join<T>(mut parts: Vec<(Shard, Vec<T>)>) -> Result<Vec<T>, JoinError> {
    parts.sort_by_key(|(shard, _)| shard.number);
    let Some(&(first, _)) = parts.first() else { return Ok(Vec::new()) };
    if let Some((other, _)) = parts.iter().find(|(shard, _)| shard.count != first.count) {
        return Err(JoinError::Counts(first, *other));
    }
    if let Some(twice) = parts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(JoinError::Twice(twice[0].0));
    }
    let missing =
        (1..=first.count).find(|number| parts.get(number - 1).is_none_or(|(s, _)| s.number != *number));
    if let Some(number) = missing {
        return Err(JoinError::Missing(Shard { number, ..first }));
    }
    let all: usize = parts.iter().map(|(_, part)| part.len()).sum();
    for (shard, part) in &parts {
        let (shard, found, expected) = (*shard, part.len(), (all + first.count - shard.number) / first.count);
        if found != expected {
            return Err(JoinError::Length { shard, found, expected });
        }
    }
    let mut parts: Vec<_> = parts.into_iter().map(|(_, part)| part.into_iter()).collect();
    Ok((0..all).filter_map(|index| parts[index % first.count].next()).collect())
}

impl Default for Shard {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text
            .split_once('/')
            .and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((number, count)) if (1..=count).contains(&number) => Ok(Self { number, count }),
            _ => Err(ShardError(text.into())),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Self, ShardError> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    fn parts(length: usize, count: usize) -> Vec<(Shard, Vec<usize>)> {
        let part = |number| {
            let shard = Shard { number, count };
            (shard, shard.of((0..length).collect()))
        };
        (1..=count).rev().map(part).collect()
    }

    #[test]
    fn joined_shards_give_the_list() {
        for length in 0..20 {
            for count in 1..8 {
                assert_eq!(join(parts(length, count)), Ok((0..length).collect()), "{length} by {count}");
            }
        }
    }

    #[test]
    fn shards_of_different_lists_are_refused() {
        let mut forgotten = parts(10, 3);
        forgotten.remove(1);
        assert_eq!(join(forgotten), Err(JoinError::Missing(shard("2/3"))));
        let mut last_forgotten = parts(10, 3);
        last_forgotten.remove(0);
        assert_eq!(join(last_forgotten), Err(JoinError::Missing(shard("3/3"))));
        let mut twice = parts(10, 3);
        twice.push(twice[0].clone());
        assert_eq!(join(twice), Err(JoinError::Twice(shard("3/3"))));
        let mut mixed = parts(10, 3);
        mixed[1] = parts(10, 4)[2].clone();
        assert_eq!(join(mixed), Err(JoinError::Counts(shard("1/3"), shard("2/4"))));
        let mut other = parts(10, 3);
        other[0].1.push(99);
        assert_eq!(join(other), Err(JoinError::Length { shard: shard("2/3"), found: 3, expected: 4 }));
    }

    #[test]
    fn only_numbers_from_one_to_count_name_shards() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3"] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains("I/N"), "{error}");
        }
        assert_eq!(shard("2/3").to_string(), "2/3");
    }
}
