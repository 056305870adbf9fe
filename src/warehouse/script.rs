//! The steps of a load, in the words of a product.

use super::plan::{LoadPlan, Scope};
use super::product::{Helper, Product};
use super::words::{Names, remark};

/// The statements of a load, by step.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// Schema, tables, helper tables.
    pub(super) prepare: Vec<String>,
    /// Rows to the staging tables.
    pub(super) stage: Vec<String>,
    /// What happens in one transaction.
    pub(super) apply: Vec<String>,
    /// The helper tables go.
    pub(super) finish: Vec<String>,
}

impl Script {
    pub(super) fn of(product: &dyn Product, names: &Names, plan: &LoadPlan) -> Self {
        let mut script = Self::default();
        let mut helpers = Vec::new();
        let asks = plan.moves_on() || product.counts_staged();
        if asks {
            helpers.push(Helper::Due);
        }
        if matches!(plan.scope, Scope::Tasks(_)) {
            helpers.push(Helper::Tasks);
        }
        let staged = || plan.tables.iter().filter(|load| !load.files.is_empty());
        helpers.extend(staged().map(|load| Helper::Stage(load.table)));
        script.prepare.push(product.create_schema(names));
        for load in &plan.tables {
            let created = product.create_table(names, load.table);
            script.prepare.extend(created);
            // Later loads leave them as they are.
            if matches!(plan.scope, Scope::Whole) {
                script.prepare.extend(product.comments(names, load.table));
            }
        }
        script.prepare.push(product.create_loaded(names));
        for helper in &helpers {
            script.prepare.extend(product.create_helper(names, *helper));
        }
        if plan.moves_on() {
            script.prepare.push(product.begin_lake(names, plan));
        }
        script.prepare.retain(|statement| !statement.is_empty());
        script.stage.extend(product.list_tasks(names, plan));
        for load in staged() {
            script.stage.extend(product.stage(names, plan, load));
        }
        if plan.moves_on() {
            script.apply.push(product.guard(names, plan));
            script.apply.extend(product.claim(names, plan));
        }
        if asks {
            script.apply.push(product.find_due(names, plan));
        }
        if !plan.is_empty() {
            for load in plan.tables.iter().rev() {
                script.apply.push(product.delete(names, plan, load.table));
            }
            for load in staged() {
                script.apply.push(product.insert(names, plan, load.table));
            }
        }
        if plan.moves_on() {
            script.apply.push(product.set_loaded(names, plan));
        }
        let drops = helpers
            .into_iter()
            .map(|helper| product.drop_helper(names, helper));
        script.finish.extend(drops);
        script
    }
}

/// The text in the common order.
pub(super) fn load(product: &dyn Product, names: &Names, plan: &LoadPlan) -> String {
    let Script {
        prepare,
        stage,
        apply,
        finish,
    } = Script::of(product, names, plan);
    let mut statements = prepare;
    let (before, inside) = if product.stages_inside() {
        (Vec::new(), stage)
    } else {
        (stage, Vec::new())
    };
    statements.extend(before);
    match product.transaction() {
        Some([begin, commit]) => {
            statements.push(begin.to_owned());
            statements.extend(inside);
            statements.extend(apply);
            statements.push(commit.to_owned());
        }
        None => statements.extend(apply),
    }
    statements.extend(finish);
    heading(product, plan) + &self::statements(&statements)
}

/// What stands above a load.
pub(super) fn heading(product: &dyn Product, plan: &LoadPlan) -> String {
    let what = match &plan.scope {
        Scope::Whole => format!("all rows as of commit {}", plan.through),
        Scope::Tasks(tasks) => format!(
            "the rows of {} tasks that changed after commit {} up to commit {}",
            tasks.len(),
            plan.since,
            plan.through
        ),
        Scope::Days { from, to } => {
            let day = |day: Option<chrono::NaiveDate>| {
                day.map_or_else(|| "…".to_owned(), |day| day.to_string())
            };
            format!(
                "the days {} to {}, as of commit {}",
                day(*from),
                day(*to),
                plan.through
            )
        }
    };
    let lines = [
        format!("{}: {what}.", product.name()),
        format!("Lake {} at {}.", plan.lake, plan.root),
    ];
    // Days leave the number where it is.
    let next = plan.moves_on().then_some(plan.through);
    let next = next.map(|next| format!("Next time: --since {next}"));
    let how = product.how().iter().map(|line| (*line).to_owned());
    let lines = lines.into_iter().chain(next).chain(how);
    let mut text = String::new();
    for line in lines {
        text.extend(["-- ", &remark(&line), "\n"]);
    }
    text + "\n"
}

/// Statements as text.
pub(super) fn statements(statements: &[String]) -> String {
    let mut text = String::new();
    for statement in statements {
        text.extend([statement.as_str(), ";\n"]);
    }
    text
}
