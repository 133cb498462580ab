//! The graph of stages for programs that draw: Mermaid and DOT. Pure: a graph, kinds and marks in, text out.
//!
//! What is needed through others is left out, as in the tree: with all its edges, a pipeline of forty stages is a black area.

use super::drawing::Mark;
use crate::graph::{Dag, StageId};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A graph as it is drawn.
#[derive(Debug)]
pub(super) struct Diagram<'a> {
    /// Name of the pipeline.
    pub(super) name: &'a str,
    pub(super) dag: &'a Dag,
    /// Kind of each stage.
    pub(super) kinds: BTreeMap<&'a str, &'a str>,
    /// What there is to do of each; empty where nobody asked.
    pub(super) marks: &'a BTreeMap<StageId, Mark>,
}

/// Name of a mark, as a class.
pub(super) fn class_of(mark: Mark) -> &'static str {
    match mark {
        Mark::Fresh => "fresh",
        Mark::Dirty => "dirty",
        Mark::Waiting => "waiting",
    }
}

/// Fill and line: dark letters are read on all of them, on any background.
fn colours_of(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Fresh => ("#d5f0dc", "#2e7d4f"),
        Mark::Dirty => ("#ffd9cc", "#c2410c"),
        Mark::Waiting => ("#fff1c2", "#a16207"),
    }
}

const MARKS: [Mark; 3] = [Mark::Fresh, Mark::Dirty, Mark::Waiting];

impl Diagram<'_> {
    /// As a Mermaid flowchart: kinds are classes `kind_<kind>`, what there is to do `fresh`, `dirty` and `waiting`.
    pub(super) fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for stage in self.dag.order() {
            let kind = self.kind(stage);
            let label = if kind == stage {
                stage.clone()
            } else {
                format!("{stage}<br/><small>{kind}</small>")
            };
            // A prefix, since `end` and the like mean something.
            let _ = writeln!(text, "  s_{stage}[\"{}\"]", label.replace('"', "#quot;"));
        }
        for stage in self.dag.order() {
            for need in self.dag.direct_needs(stage) {
                let _ = writeln!(text, "  s_{need} --> s_{stage}");
            }
        }
        for mark in MARKS {
            let stages = self.marked(mark);
            if stages.is_empty() {
                continue;
            }
            let (fill, line) = colours_of(mark);
            let class = class_of(mark);
            let _ = writeln!(
                text,
                "  classDef {class} fill:{fill},stroke:{line},color:#1f2937"
            );
            let _ = writeln!(text, "  class {} {class}", ids(&stages));
        }
        for (kind, stages) in self.by_kind() {
            let _ = writeln!(text, "  class {} kind_{kind}", ids(&stages));
        }
        text
    }

    /// As DOT: kind and what there is to do are attributes and classes.
    pub(super) fn dot(&self) -> String {
        let mut text = format!("digraph {} {{\n", quoted(self.name));
        text.push_str("  rankdir=LR;\n");
        text.push_str("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f3f4f6\", color=\"#6b7280\", fontcolor=\"#1f2937\", fontname=\"Helvetica,Arial,sans-serif\"];\n");
        text.push_str("  edge [color=\"#9ca3af\"];\n");
        for stage in self.dag.order() {
            let kind = self.kind(stage);
            let label = if kind == stage {
                stage.clone()
            } else {
                format!("{stage}\n{kind}")
            };
            let _ = write!(text, "  {} [label={}", quoted(stage), quoted(&label));
            match self.marks.get(stage) {
                None => {
                    let _ = write!(text, ", class={}", quoted(kind));
                }
                Some(mark) => {
                    let (fill, line) = colours_of(*mark);
                    let class = format!("{kind} {}", class_of(*mark));
                    let _ = write!(
                        text,
                        ", class={}, fillcolor=\"{fill}\", color=\"{line}\"",
                        quoted(&class)
                    );
                }
            }
            text.push_str("];\n");
        }
        for stage in self.dag.order() {
            for need in self.dag.needs(stage) {
                if self.dag.direct_needs(stage).contains(&&need.stage) {
                    let datasets = quoted(&need.datasets.join(", "));
                    let _ = writeln!(
                        text,
                        "  {} -> {} [tooltip={datasets}];",
                        quoted(&need.stage),
                        quoted(stage)
                    );
                }
            }
        }
        text.push_str("}\n");
        text
    }

    fn kind(&self, stage: &str) -> &str {
        self.kinds.get(stage).copied().unwrap_or_default()
    }

    fn marked(&self, mark: Mark) -> Vec<&str> {
        let marked = self.marks.iter().filter(|(_, known)| **known == mark);
        marked.map(|(stage, _)| stage.as_str()).collect()
    }

    fn by_kind(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for stage in self.dag.order() {
            by_kind.entry(self.kind(stage)).or_default().push(stage);
        }
        by_kind
    }
}

fn ids(stages: &[&str]) -> String {
    let ids: Vec<String> = stages.iter().map(|stage| format!("s_{stage}")).collect();
    ids.join(",")
}

/// A DOT string.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Need;

    fn example() -> (Dag, BTreeMap<StageId, Mark>) {
        let need = |stage: &str| Need {
            stage: stage.to_owned(),
            datasets: vec!["labelled".to_owned(), "unlabelled".to_owned()],
        };
        let dag = Dag::new(vec![
            ("ingest".to_owned(), vec![]),
            ("end".to_owned(), vec![need("ingest")]),
            ("svm".to_owned(), vec![need("ingest"), need("end")]),
        ]);
        let marks = [
            ("ingest", Mark::Fresh),
            ("end", Mark::Dirty),
            ("svm", Mark::Waiting),
        ];
        let marks = marks.map(|(stage, mark)| (stage.to_owned(), mark));
        (dag.unwrap(), BTreeMap::from(marks))
    }

    fn diagram<'a>(dag: &'a Dag, marks: &'a BTreeMap<StageId, Mark>) -> Diagram<'a> {
        Diagram {
            name: "a \"catalogue\"",
            dag,
            kinds: BTreeMap::from([
                ("ingest", "ingest"),
                ("end", "clean_text"),
                ("svm", "train"),
            ]),
            marks,
        }
    }

    #[test]
    fn mermaid_has_classes_for_kinds_and_marks() {
        let (dag, marks) = example();
        let expected = "\
flowchart LR
  s_ingest[\"ingest\"]
  s_end[\"end<br/><small>clean_text</small>\"]
  s_svm[\"svm<br/><small>train</small>\"]
  s_ingest --> s_end
  s_end --> s_svm
  classDef fresh fill:#d5f0dc,stroke:#2e7d4f,color:#1f2937
  class s_ingest fresh
  classDef dirty fill:#ffd9cc,stroke:#c2410c,color:#1f2937
  class s_end dirty
  classDef waiting fill:#fff1c2,stroke:#a16207,color:#1f2937
  class s_svm waiting
  class s_end kind_clean_text
  class s_ingest kind_ingest
  class s_svm kind_train
";
        assert_eq!(diagram(&dag, &marks).mermaid(), expected);
        let unmarked = diagram(&dag, &BTreeMap::new()).mermaid();
        assert!(!unmarked.contains("classDef") && unmarked.contains("class s_svm kind_train"));
    }

    #[test]
    fn dot_is_of_quoted_names_and_attributes() {
        let (dag, marks) = example();
        let text = diagram(&dag, &marks).dot();
        let statements = dot::parse(&text);
        assert_eq!(statements.name, "a \"catalogue\"");
        let nodes: Vec<&str> = statements.nodes.keys().map(String::as_str).collect();
        assert_eq!(nodes, ["end", "ingest", "svm"]);
        assert_eq!(statements.nodes["end"]["label"], "end\nclean_text");
        assert_eq!(statements.nodes["end"]["class"], "clean_text dirty");
        let edge = |a: &str, b: &str| {
            (
                a.to_owned(),
                b.to_owned(),
                "labelled, unlabelled".to_owned(),
            )
        };
        assert_eq!(
            statements.edges,
            [edge("ingest", "end"), edge("end", "svm")]
        );
        let unmarked = dot::parse(&diagram(&dag, &BTreeMap::new()).dot());
        assert_eq!(unmarked.nodes["end"]["class"], "clean_text");
    }

    /// Reads the part of the DOT language that stands in its grammar under `graph`, `stmt_list` and `attr_list`, and panics at
    /// anything else.
    mod dot {
        use std::collections::BTreeMap;

        type Attributes = BTreeMap<String, String>;

        #[derive(Debug, Default)]
        pub(super) struct Statements {
            pub(super) name: String,
            pub(super) nodes: BTreeMap<String, Attributes>,
            pub(super) edges: Vec<(String, String, String)>,
        }

        /// Words, quoted strings (without their quotes) and single signs.
        fn tokens(text: &str) -> Vec<String> {
            let mut tokens = Vec::new();
            let mut rest = text.chars().peekable();
            while let Some(c) = rest.next() {
                match c {
                    '"' => {
                        let mut value = String::from("\"");
                        loop {
                            match rest.next().expect("a string ends") {
                                '"' => break,
                                '\\' => match rest.next().expect("an escape has two signs") {
                                    'n' => value.push('\n'),
                                    other => value.push(other),
                                },
                                other => value.push(other),
                            }
                        }
                        tokens.push(value);
                    }
                    '-' => {
                        assert_eq!(rest.next(), Some('>'));
                        tokens.push("->".to_owned());
                    }
                    c if c.is_alphanumeric() || c == '_' => {
                        let mut word = String::from(c);
                        while let Some(more) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                            word.push(more);
                        }
                        tokens.push(word);
                    }
                    c if c.is_whitespace() => {}
                    c => tokens.push(c.to_string()),
                }
            }
            tokens
        }

        /// An identifier: a word or a quoted string.
        fn id(token: &str) -> String {
            let is_word = token.chars().all(|c| c.is_alphanumeric() || c == '_');
            assert!(
                is_word || token.starts_with('"'),
                "{token:?} is no identifier"
            );
            token.trim_start_matches('"').to_owned()
        }

        pub(super) fn parse(text: &str) -> Statements {
            let tokens = tokens(text);
            let mut rest = tokens.iter().map(String::as_str).peekable();
            let mut found = Statements::default();
            assert_eq!(rest.next(), Some("digraph"));
            found.name = id(rest.next().unwrap());
            assert_eq!(rest.next(), Some("{"));
            loop {
                let first = rest.next().expect("the graph ends");
                if first == "}" {
                    break;
                }
                match rest.next().unwrap() {
                    "=" => drop(id(rest.next().unwrap())),
                    "[" => {
                        let attributes = attributes(&mut rest);
                        if !["node", "edge"].contains(&first) {
                            found.nodes.insert(id(first), attributes);
                        }
                    }
                    "->" => {
                        let to = id(rest.next().unwrap());
                        assert_eq!(rest.next(), Some("["));
                        let tooltip = attributes(&mut rest)["tooltip"].clone();
                        found.edges.push((id(first), to, tooltip));
                    }
                    other => panic!("{other:?} after {first:?}"),
                }
                assert_eq!(rest.next(), Some(";"));
            }
            assert_eq!(rest.next(), None);
            found
        }

        fn attributes<'a>(rest: &mut impl Iterator<Item = &'a str>) -> Attributes {
            let mut found = Attributes::new();
            loop {
                let name = id(rest.next().unwrap());
                assert_eq!(rest.next(), Some("="));
                found.insert(name, id(rest.next().unwrap()));
                match rest.next().unwrap() {
                    "]" => return found,
                    separator => assert_eq!(separator, ","),
                }
            }
        }
    }
}
