//! Checks the names in an expression before it runs: minijinja itself reports an
//! unknown name only when a user first makes it evaluate that name.

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::machinery::{Span, ast};

use crate::filters::{FILTERS, TESTS};
use crate::user;

/// A mistake, with its position.
pub(crate) struct Mistake {
    pub(crate) span: Span,
    pub(crate) text: String,
}

/// Finds all mistakes in an expression's syntax tree.
pub(crate) fn names(expression: &Expr<'_>) -> Vec<Mistake> {
    let mut checks = Checks(Vec::new());
    checks.expression(expression);
    checks.0
}

struct Checks(Vec<Mistake>);

impl Checks {
    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Const(_) => {}
            Expr::Var(var) => self.variable(var.id, var.span()),
            Expr::GetAttr(get) => {
                if is_user(&get.expr) {
                    self.user_field(get.name, get.span());
                }
                self.expression(&get.expr);
            }
            Expr::GetItem(get) => {
                let name = get.subscript_expr.as_const();
                if let Some(name) = name.as_ref().filter(|_| is_user(&get.expr)) {
                    self.user_field(&name.to_string(), get.span());
                }
                self.expression(&get.expr);
                self.expression(&get.subscript_expr);
            }
            Expr::Filter(filter) => {
                self.known("filter", filter.name, &FILTERS, filter.span());
                self.all(&filter.expr);
                self.arguments(&filter.args);
                self.named_by_argument(filter);
            }
            Expr::Test(test) => {
                self.known("test", test.name, &TESTS, test.span());
                self.expression(&test.expr);
                self.arguments(&test.args);
            }
            Expr::Call(call) => {
                let name = match &call.expr {
                    Expr::Var(var) => var.id,
                    Expr::GetAttr(get) => get.name,
                    _ => "(...)",
                };
                let text = format!(
                    "unknown function `{name}`: a value goes through filters, such as `user.name | lower`"
                );
                self.0.push(Mistake {
                    span: call.span(),
                    text,
                });
                self.arguments(&call.args);
            }
            Expr::UnaryOp(op) => self.expression(&op.expr),
            Expr::BinOp(op) => {
                self.expression(&op.left);
                self.expression(&op.right);
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr);
                self.all(compare.ops.iter().map(|op| &op.expr));
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                self.all(&choice.false_expr);
            }
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                self.all(
                    [&slice.start, &slice.stop, &slice.step]
                        .into_iter()
                        .flatten(),
                );
            }
            Expr::List(list) => self.all(&list.items),
            Expr::Tuple(tuple) => self.all(&tuple.items),
            Expr::Map(map) => {
                self.all(&map.keys);
                self.all(&map.values);
            }
        }
    }

    fn all<'a, 'b: 'a>(&mut self, expressions: impl IntoIterator<Item = &'a Expr<'b>>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        self.all(arguments.iter().map(|argument| match argument {
            CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value) => value,
        }));
    }

    fn variable(&mut self, name: &str, span: Span) {
        if name != "user" {
            let text =
                format!("unknown name `{name}`; there is `user`, and a text stands in quotes");
            self.0.push(Mistake { span, text });
        }
    }

    fn user_field(&mut self, name: &str, span: Span) {
        if !user::FIELDS.contains(&name) {
            let names = user::FIELDS.join(", user.");
            let text = format!("unknown field `user.{name}`; there are: user.{names}");
            self.0.push(Mistake { span, text });
        }
    }

    /// `map('lower')` names a filter, `select('defined')` a test.
    fn named_by_argument(&mut self, filter: &ast::Filter<'_>) {
        let (what, names): (_, &[&str]) = match filter.name {
            "map" => ("filter", &FILTERS),
            "select" | "reject" => ("test", &TESTS),
            _ => return,
        };
        if let Some(CallArg::Pos(Expr::Const(name))) = filter.args.first() {
            self.known(what, &name.value.to_string(), names, name.span());
        }
    }

    fn known(&mut self, what: &str, name: &str, names: &[&str], span: Span) {
        if !names.contains(&name) {
            let text = format!("unknown {what} `{name}`; there are: {}", names.join(", "));
            self.0.push(Mistake { span, text });
        }
    }
}

fn is_user(expression: &Expr<'_>) -> bool {
    matches!(expression, Expr::Var(var) if var.id == "user")
}
