//! Patterns of `match` as canonical bytes.

use ruff_python_ast::{Pattern, Singleton};

use super::{Canonical, tag};

impl Canonical<'_> {
    pub(super) fn pattern(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::MatchValue(it) => {
                self.out.node(tag::PATTERN_VALUE);
                self.expression(&it.value);
            }
            Pattern::MatchSingleton(it) => {
                self.out
                    .node(tag::PATTERN_SINGLETON)
                    .number(match it.value {
                        Singleton::None => 0,
                        Singleton::True => 1,
                        Singleton::False => 2,
                    });
            }
            Pattern::MatchSequence(it) => {
                self.out.node(tag::PATTERN_SEQUENCE);
                self.patterns(&it.patterns);
            }
            Pattern::MatchMapping(it) => {
                self.out.node(tag::PATTERN_MAPPING);
                self.expressions(&it.keys);
                self.patterns(&it.patterns);
                self.identifier(it.rest.as_ref());
            }
            Pattern::MatchClass(it) => {
                self.out.node(tag::PATTERN_CLASS);
                self.expression(&it.cls);
                self.patterns(&it.arguments.patterns);
                self.out.list(it.arguments.keywords.len());
                for keyword in &it.arguments.keywords {
                    self.out.text(&keyword.attr);
                    self.pattern(&keyword.pattern);
                }
            }
            Pattern::MatchStar(it) => {
                self.out.node(tag::PATTERN_STAR);
                self.identifier(it.name.as_ref());
            }
            Pattern::MatchAs(it) => {
                self.out
                    .node(tag::PATTERN_AS)
                    .presence(it.pattern.is_some());
                if let Some(pattern) = &it.pattern {
                    self.pattern(pattern);
                }
                self.identifier(it.name.as_ref());
            }
            Pattern::MatchOr(it) => {
                self.out.node(tag::PATTERN_OR);
                self.patterns(&it.patterns);
            }
        }
    }

    fn patterns(&mut self, patterns: &[Pattern]) {
        self.out.list(patterns.len());
        for pattern in patterns {
            self.pattern(pattern);
        }
    }
}
