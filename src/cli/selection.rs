//! Which of the scenarios and variants that were named are run: by tags, by names.

use crate::cli::args::RunArgs;
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;

/// Those that the options choose.
///
/// # Errors
/// When they choose nothing: what there is.
pub fn select(mut scenarios: Vec<Scenario>, args: &RunArgs) -> Result<Vec<Scenario>, Diagnostic> {
    let all = scenarios.len();
    let tags = tags(&scenarios);
    scenarios.retain(|scenario| is_chosen(scenario, args));
    let names: Vec<String> = variants(&scenarios);
    if !args.variants.is_empty() {
        for scenario in &mut scenarios {
            let wanted = |name: &str| args.variants.iter().any(|part| name.contains(part.as_str()));
            scenario.variants.retain(|variant| wanted(&variant.name));
        }
        scenarios.retain(|scenario| !scenario.variants.is_empty());
    }
    if !scenarios.is_empty() || all == 0 {
        return Ok(scenarios);
    }
    let error = Diagnostic::error("no scenario is left to run: the options choose none");
    Err(if names.is_empty() {
        error.help(match tags.is_empty() {
            true => "the files have no tags; `--filter TEXT` looks into names and paths".to_owned(),
            false => format!("the tags of the files are {}", tags.join(", ")),
        })
    } else {
        error.help(format!("their variants are {}", names.join(", ")))
    })
}

fn is_chosen(scenario: &Scenario, args: &RunArgs) -> bool {
    let has = |tag: &String| scenario.tags.contains(tag);
    let named = |text: &String| {
        scenario.name.contains(text.as_str()) || scenario.source.path.contains(text.as_str())
    };
    (args.tags.is_empty() || args.tags.iter().any(has))
        && !args.skipped_tags.iter().any(has)
        && (args.filters.is_empty() || args.filters.iter().any(named))
}

/// All tags, each once.
fn tags(scenarios: &[Scenario]) -> Vec<String> {
    let mut tags: Vec<String> = scenarios.iter().flat_map(|it| it.tags.clone()).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// The names of all variants, each once, in order.
fn variants(scenarios: &[Scenario]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for variant in scenarios.iter().flat_map(|scenario| &scenario.variants) {
        if !variant.name.is_empty() && !names.contains(&variant.name) {
            names.push(variant.name.clone());
        }
    }
    names
}
