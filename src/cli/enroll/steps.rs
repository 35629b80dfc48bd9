//! The steps of a dialogue as they are shown: a line for people, a JSON object for programs.

use std::io;

use serde_json::json;
use wakeword::digits;
use wakeword::engine::event::{Event, Reason};
use wakeword::engine::rule::Rule;
use wakeword::enroll::dialogue::{Learned, Prompt, Step};

use super::screen::{Screen, take_line, take_text};

/// Shows a step of an enrolment of `phrase`, and after a prompt the `hint` what keys do. The last steps say nothing: what
/// follows from them is shown instead.
pub fn show(screen: &Screen, step: &Step, (phrase, hint): (&str, &str), rule: &Rule) -> io::Result<()> {
    match step {
        Step::Ask(prompt) => ask(screen, *prompt, phrase, hint),
        Step::Level { dbfs, speech } => screen.level(*dbfs, *speech),
        Step::Take { report, .. } => screen.step(&take_line(report), &take_text(report)),
        Step::AudioLost(reason) => {
            let text = format!("the microphone is lost: {reason}\n  waiting for it to come back");
            screen.step(&json!({ "event": "microphone-lost", "reason": reason }), &text)
        }
        Step::AudioBack => {
            screen.step(&json!({ "event": "microphone-back" }), "the microphone is back: say it again")
        }
        Step::Learned(learned) => show_learned(screen, learned),
        Step::Tested { prompt: Prompt::OtherSentence, answered, heard } => {
            let line = json!({ "event": "other", "heard": digits::json(heard) });
            match heard {
                _ if !answered => screen.step(&line, "  nothing was said: left out"),
                Some(event) if event.is_detected() => {
                    let text = format!(
                        "it would have woken: {}. If that was not the phrase, \
                         `wakeword calibrate {} --point strict --save` makes it more careful",
                        score(event),
                        event.profile
                    );
                    screen.warn(Some(&line), &text)
                }
                Some(event) => screen.step(&line, &format!("  refused {}", refusal(event))),
                None => screen.step(&line, "  refused: nothing like the phrase was heard"),
            }
        }
        Step::Tested { heard, .. } => {
            let text = match heard {
                Some(event) if event.is_detected() => format!(
                    "  accepted: {}; words {:.2}, voice {:.2} (1 is usual)",
                    score(event),
                    rule.words(&event.evidence),
                    event.evidence.speaker_score.unwrap_or_default()
                ),
                Some(event) => format!("  not accepted {}", refusal(event)),
                None => "  not accepted: nothing like the phrase was heard".into(),
            };
            screen.step(&json!({ "event": "test", "heard": digits::json(heard) }), &text)
        }
        Step::NearWord { number, problem } => {
            let text =
                problem.map_or("  learned: it must not wake".into(), |problem| format!("  again: {problem}"));
            let problem = problem.map(|problem| problem.to_string());
            screen.step(&json!({ "event": "near-word", "near_word": number, "problem": problem }), &text)
        }
        Step::TestFailed => {
            let text = "the test was not passed: it may often miss you. Enrol again in a quieter place, \
                        or with a longer phrase";
            screen.warn(Some(&json!({ "event": "test-failed" })), text)
        }
        Step::Done(_) | Step::Failed(_) => Ok(()),
    }
}

fn ask(screen: &Screen, prompt: Prompt, phrase: &str, hint: &str) -> io::Result<()> {
    let (line, text) = match prompt {
        Prompt::Take { number, of } => (
            json!({ "event": "ask", "take": number, "of": of, "phrase": phrase }),
            format!("take {number} of {of}: say {phrase:?}"),
        ),
        Prompt::TestPhrase => {
            (json!({ "event": "ask-test", "phrase": phrase }), format!("test: say {phrase:?} once more"))
        }
        Prompt::OtherSentence => {
            (json!({ "event": "ask-other" }), "test: now say a sentence without it".into())
        }
        Prompt::NearWord { number, of } => (
            json!({ "event": "ask-near", "near_word": number, "of": of, "phrase": phrase }),
            format!(
                "near word {number} of {of}: say something that sounds nearly like {phrase:?}, or nothing"
            ),
        ),
    };
    screen.step(&line, &format!("{text}{hint}"))
}

/// What could be better about what was learned.
pub fn show_learned(screen: &Screen, learned: &Learned) -> io::Result<()> {
    for warning in &learned.warnings {
        screen.warn(Some(&json!({ "event": "warning", "warning": warning })), &warning.to_string())?;
    }
    for other in &learned.duplicates {
        let text = format!(
            "profile {:?} ({:?}) wakes for this phrase in this voice already; \
             `wakeword profiles remove {}` if this one is to take its place",
            other.name, other.phrase, other.name
        );
        let line = json!({ "event": "duplicate", "profile": other.name, "phrase": other.phrase });
        screen.warn(Some(&line), &text)?;
    }
    Ok(())
}

fn score(event: &Event) -> String {
    format!("score {:.2} of {:.2} needed", event.score, event.threshold)
}

fn refusal(event: &Event) -> String {
    format!("({}): {}", event.reason().map_or("", Reason::describe), score(event))
}
