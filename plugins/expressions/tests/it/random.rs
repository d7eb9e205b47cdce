//! Random expressions, from a grammar.

/// A generator of expressions. The same seed gives the same ones.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `most`.
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// An expression with at most so many levels.
    pub(crate) fn expression(&mut self, levels: usize) -> String {
        if levels == 0 {
            return self.leaf();
        }
        match self.below(20) {
            0..3 => self.leaf(),
            3..10 => {
                let inner = self.inner(levels);
                let filter = self.filter(levels - 1);
                format!("{inner} | {filter}")
            }
            10..14 => {
                let sign = self.one(&[
                    "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=",
                    "in", "not in", "and", "or", "~", "~", "==",
                ]);
                format!("{} {sign} {}", self.inner(levels), self.inner(levels))
            }
            14 => {
                let (yes, no) = (self.inner(levels), self.inner(levels));
                format!("{yes} if {} else {no}", self.inner(levels))
            }
            15 => format!("{} is {}", self.inner(levels), self.test(levels - 1)),
            16 => {
                let bounds = [
                    "[0]", "[-1]", "[:3]", "[1:]", "[::-1]", "[5:1:-2]", ".zip", "['a']", "[1:2]",
                ];
                format!("{}{}", self.inner(levels), self.one(&bounds))
            }
            17 => {
                let members: Vec<_> = (0..self.below(4))
                    .map(|_| self.expression(levels - 1))
                    .collect();
                format!("[{}]", members.join(", "))
            }
            18 => {
                let (one, other) = (self.expression(levels - 1), self.expression(levels - 1));
                format!("{{'a': {one}, 'zip': {other}}}")
            }
            _ => format!("{}{}", self.one(&["not ", "-"]), self.inner(levels)),
        }
    }

    fn inner(&mut self, levels: usize) -> String {
        let inner = self.expression(levels - 1);
        if self.below(3) == 0 {
            inner
        } else {
            format!("({inner})")
        }
    }

    fn leaf(&mut self) -> String {
        self.one(&[
            "user.name",
            "user.attributes.email",
            "user.attributes.nickname",
            "user.attributes['custom:tags']",
            "user.attributes['custom:seats']",
            "user.attributes.email_verified",
            "user.attributes.phone_number",
            "user.attributes.locale",
            "user.client_metadata.campaign",
            "user.client_id",
            "user.time",
            "user.time_ms",
            "user.region",
            "'abc'",
            "'Straße ΣΑΣ ǆ'",
            "''",
            "','",
            "' a  b '",
            "'12'",
            "'true'",
            "'2026-11-23'",
            "0",
            "1",
            "3",
            "16",
            "-7",
            "2.5",
            "-0.25",
            "true",
            "false",
            "none",
            "[]",
            "{}",
        ])
        .to_owned()
    }

    fn filter(&mut self, levels: usize) -> String {
        let filter = self.one(&[
            "lower",
            "upper",
            "title",
            "capitalize",
            "trim",
            "first",
            "last",
            "length",
            "reverse",
            "sort",
            "sort(reverse=true)",
            "unique",
            "select",
            "string",
            "round",
            "round(1)",
            "round(0, 'ceil')",
            "urlencode",
            "split(',')",
            "split",
            "split('a', 1)",
            "split(none, 1)",
            "map('upper')",
            "map('length')",
            "map('split', 'a')",
            "select('defined')",
            "select('string')",
            "reject('none')",
            "reject('equalto', 'b')",
            "map(attribute='zip')",
            "selectattr('zip', 'defined')",
            "rejectattr('a')",
            "join",
            "join('-')",
            "trim('ab')",
            "int",
            "number",
            "bool",
            "json",
            "set",
            "compact",
            "zfill(5)",
            "hash('sha256')",
            "hash_int('sha256')",
            "to_uuid('dns')",
            "base64",
            "timestamp",
            "strftime('%Y')",
            "regex_replace('[a-c]+', '<$0>')",
            "regex_search('[a-z]+')",
            "to_datetime",
            "default",
            "replace",
            "join_of",
            "default",
            "default",
        ]);
        match filter {
            "default" => format!("default({})", self.expression(levels)),
            "replace" => format!("replace('a', {})", self.expression(levels)),
            "join_of" => format!("join({})", self.expression(levels)),
            filter => filter.to_owned(),
        }
    }

    fn test(&mut self, levels: usize) -> String {
        let test = self.one(&[
            "defined",
            "undefined",
            "none",
            "number",
            "string",
            "boolean",
            "mapping",
            "sequence",
            "true",
            "false",
            "not defined",
            "startingwith('a')",
            "endingwith('b')",
            "equalto",
            "in",
            "search('a')",
            "match('a')",
        ]);
        match test {
            "equalto" | "in" => format!("{test}({})", self.expression(levels)),
            test => test.to_owned(),
        }
    }
}
