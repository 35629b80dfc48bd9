//! Enrolment without a terminal; the daemon itself does it in `tests/enroll`.

use std::collections::HashMap;

use wakeword::bus::PATH;
use zbus::{OwnedVariant, Variant};

use super::harness::{Client, Service, refusal};
use super::{ENROLLMENT, home};

#[test]
fn an_enrolment_checks_words_and_ends_with_its_claimant() {
    let home = home();
    let service = Service::start(&home, false);
    let client = Client::new(&home);
    let enrol = |member: &str| client.call(PATH, ENROLLMENT, member, &());
    enrol("Claim").unwrap();
    assert_eq!(service.told(), format!("claim {}", client.name()));
    assert_eq!(refusal(enrol("Release")).0, "NotClaimed");
    assert!(service.told().starts_with("release claim"));
    assert_eq!(client.property(PATH, ENROLLMENT, "NumEnrollStages"), OwnedVariant::from(5u32));
    let start = |phrase: &str, option: &str, value: Variant<'_>| {
        let options = HashMap::from([(option, value)]);
        refusal(client.call(PATH, ENROLLMENT, "EnrollStart", &("anna", phrase, options))).0
    };
    for (phrase, option, value) in [
        ("", "replace", Variant::Bool(true)),
        ("two\nlines", "replace", Variant::Bool(true)),
        (&"x".repeat(201), "replace", Variant::Bool(true)),
        ("hello", "user", Variant::Str("\u{1b}[31m".into())),
        ("hello", "user", Variant::Bool(true)),
        ("hello", "overwrite", Variant::Bool(true)),
    ] {
        assert_eq!(start(phrase, option, value), "InvalidArgument", "{phrase:?}");
    }
    assert!(service.told.is_empty());
    assert_eq!(start(" hello ", "user", Variant::Str("Anna".into())), "AlreadyInUse");
    let told = service.told();
    assert!(told.contains("phrase: \"hello\", user: \"Anna\", replace: false"), "{told}");
    let name = client.name();
    drop(client);
    assert_eq!(service.told(), format!("vanished {name}"));
}
