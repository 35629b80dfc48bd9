//! What the shipped units leave a program of the file system.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    path_beneath_rules,
};

/// From now on this thread, and what it starts, can read everything but write only in `folder`. It cannot
/// gain privileges either.
pub fn confine(folder: &Path) {
    let all = AccessFs::from_all(ABI::V1);
    let rules = Ruleset::default().handle_access(all).unwrap().create().unwrap();
    let rules = rules.add_rules(path_beneath_rules(["/"], AccessFs::from_read(ABI::V1))).unwrap();
    let rules = rules.add_rules(path_beneath_rules([folder], all)).unwrap();
    assert_eq!(rules.restrict_self().unwrap().ruleset, RulesetStatus::FullyEnforced);
}
