//! Protocol and participant information, as an ethics board asks for them.

use super::licence::Credit;
use super::make::{Key, StudyPlan};
use super::ratings::SCALES;

/// Minutes per advice, for the estimate of the duration: two clips of ten seconds, heard twice, and five scales. Chosen,
/// not measured.
const MINUTES_PER_ADVICE: f64 = 1.5;

/// The protocol and the information for participants, in Markdown.
pub(super) fn texts(plan: &StudyPlan, key: &Key, credits: &[Credit]) -> [String; 2] {
    let systems = key.systems.len();
    let shown = (plan.items + plan.repeats + 1) * systems;
    let minutes = (shown as f64 * MINUTES_PER_ADVICE).ceil();
    let scales: String = SCALES
        .iter()
        .map(|(name, question, low, high)| format!("- {name}: \"{question}\" (1 = {low}, 5 = {high})\n"))
        .collect();
    let songs: String = credits
        .iter()
        .map(|credit| format!("- {}: {} ({})\n", credit.song, credit.by, credit.licence))
        .collect();
    let StudyPlan { title, contact, items, repeats, .. } = plan;
    let list = key.systems.join(", ");
    let study = &key.study;
    let protocol = format!(
        "# Protocol: {title}\n\nStudy {study}. Contact: {contact}\n\n\
## Question\nHow do engineers rate advice on the balance of a mix by {systems} systems: {list}?\n\n\
## Design\nWithin subjects: every participant rates every system on every item. {items} items are scored; one more, the first, is for \
training and is not. Scored items that are shown a second time, at the end, to see whether a participant is consistent: {repeats}. The order of items \
and systems is random for each participant. Systems are blinded: the page holds codes, and the key is in a file of its own.\n\n\
An item is ten seconds of a song in which one stem may be too loud or too quiet. The participant hears the mix, reads the advice, and \
compares the mix with and without it, in random order and under the names X and Y. Both have the same loudness within 0.1 LU (ITU-R BS.1770).\n\n\
## Measures\nFive scales from 1 to 5:\n\n{scales}\nWhich of the two mixes is better balanced: X, Y, or no difference. A comment. Years of mixing, \
role, and headphones or loudspeakers.\n\n\
## Analysis\nMeans by system with 95 % intervals by bootstrap over participants; Krippendorff's alpha (interval metric) per scale; mean \
absolute difference between first and second ratings per participant; a linear mixed model with system as fixed effect and participant and \
item as random effects, fitted by REML, and the differences between systems with 95 % intervals. Command: `mixing-buddy-trainer study score`.\n\n\
## Material\n{songs}\n"
    );
    let information = format!(
        "# Information for participants: {title}\n\nContact: {contact}\n\n\
You will hear short pieces of music and read advice on the balance of their mix. You rate the advice. It takes about {minutes:.0} minutes; you can \
pause at any time and go on later in the same browser. Please use good headphones or loudspeakers, and set a comfortable level first.\n\n\
Taking part is voluntary. You can stop at any time without a reason and without a disadvantage; then nothing is kept unless you \
send the file.\n\n\
The page asks for your years of mixing, your role and your monitoring. It asks for no name and sends nothing: your answers stay in \
your browser until you save them as a file and send it to the contact above. The file holds a random number in place of your name. Once it is \
among the others it cannot be told apart any more, so it can be withdrawn only as long as you know that number.\n\n\
There is no risk beyond that of listening to music. Keep the level low.\n"
    );
    [protocol, information]
}
