//! `rmq-scenario plan`: what files will do and what they guarantee, without a broker.

use std::process::ExitCode;

use crate::cli::USAGE;
use crate::cli::args::{PlanArgs, PlanFormat};
use crate::cli::loading::{self, counted};
use crate::cli::telling::print;
use crate::plan::model::Scenario;
use crate::report::output::{Output, Target};
use crate::report::plan;
use crate::report::style::{ColorChoice, Style, use_color};

/// Shows the plan of each file; with a mistake in any of them only the mistakes.
pub fn main(args: &PlanArgs) -> ExitCode {
    let choice = ColorChoice::from(args.color);
    let options = loading::options(&args.settings, args.seed);
    let loaded = args.files.iter().map(|file| loading::load(file.as_ref(), &options));
    let mut scenarios = Vec::new();
    let mut mistakes = Vec::new();
    for loaded in loaded {
        match loaded {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => mistakes.extend(found),
        }
    }
    if !mistakes.is_empty() {
        let color = use_color(Target::Stderr, choice);
        let text: String = mistakes.iter().map(|mistake| mistake.render(color) + "\n").collect();
        let end = format!("{}; nothing is planned\n", counted(mistakes.len(), "mistake"));
        let _ = Output::new(Target::Stderr).write(&(text + &end));
        return ExitCode::from(USAGE);
    }
    let text = rendered(&scenarios, args.format, Style::detect(Target::Stdout, choice, 0));
    print(&text, choice)
}

fn rendered(scenarios: &[Scenario], format: PlanFormat, style: Style) -> String {
    let each = |render: &dyn Fn(&Scenario) -> String, between: &str| {
        scenarios.iter().map(render).collect::<Vec<_>>().join(between)
    };
    match format {
        PlanFormat::Text => each(&|scenario| plan::text(scenario, style), "\n"),
        PlanFormat::Json => plan::json(scenarios),
        PlanFormat::Dot => each(&plan::graphviz, ""),
        PlanFormat::Mermaid => each(&plan::mermaid, "\n"),
    }
}
