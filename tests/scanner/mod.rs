//! Reads Rust just well enough to hold rules of style: what is code and what is comment or
//! text, where functions begin and end, which paths are named.
//!
//! It knows nothing of types or macros, and sees a macro's body as the code it looks like.

/// A source file. Positions are lines, from 1.
pub struct File {
    /// Below the root of the package, with `/`.
    pub path: String,
    pub text: String,
    /// The text with a blank for each character of comments, strings and character literals.
    pub code: String,
}

/// A function with a body, from the line of its `fn` to the line of its last brace.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl File {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: mask(text) }
    }

    /// The folder or file right below `src`: `plan` for `src/plan/model.rs`.
    pub fn stage(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let stage = below.split('/').next()?;
        let stage = stage.strip_suffix(".rs").unwrap_or(stage);
        (!matches!(stage, "lib" | "main")).then_some(stage)
    }

    /// The lines in which `needle` stands as code, not as a part of a longer name.
    pub fn lines_with(&self, needle: &str) -> Vec<usize> {
        let found = self.code.match_indices(needle);
        let whole = found.filter(|&(at, _)| is_whole(&self.code, at, needle));
        let mut lines: Vec<_> = whole.map(|(at, _)| line_of(&self.code, at)).collect();
        lines.dedup();
        lines
    }

    /// What is named right below `root`: `plan` and `run` for `use crate::{plan::x, run};`.
    pub fn named_below(&self, root: &str) -> Vec<(usize, String)> {
        let needle = format!("{root}::");
        let mut named = Vec::new();
        for (at, _) in self.code.match_indices(&needle) {
            if !is_whole(&self.code, at, root) || self.code[..at].ends_with("::") {
                continue;
            }
            let line = line_of(&self.code, at);
            let names = first_names(&self.code[at + needle.len()..]);
            named.extend(names.into_iter().map(|name| (line, name)));
        }
        named
    }

    /// Every function that has a body.
    pub fn functions(&self) -> Vec<Function> {
        let found = self.code.match_indices("fn ");
        let starts = found.filter(|&(at, _)| is_whole(&self.code, at, "fn"));
        starts.filter_map(|(at, _)| function(&self.code, at)).collect()
    }
}

fn function(code: &str, at: usize) -> Option<Function> {
    let name: String = code[at + 3..].chars().take_while(|&c| is_name(c)).collect();
    let (body, end) = body(&code[at..])?;
    let line = line_of(code, at);
    let last = line_of(code, at + end);
    (!name.is_empty() && body < end).then_some(Function { name, line, lines: last - line + 1 })
}

/// Where the body's first and last brace are; `None` for a declaration without a body.
fn body(code: &str) -> Option<(usize, usize)> {
    let (mut braces, mut brackets, mut begin) = (0, 0, None);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if begin.is_none() && brackets == 0 => return None,
            '{' => {
                begin = begin.or(Some(at));
                braces += 1;
            }
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return begin.map(|begin| (begin, at));
                }
            }
            _ => {}
        }
    }
    None
}

/// The first name of a path, or of each path of a group in braces.
fn first_names(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|&c| is_name(c)).collect::<String>();
    let Some(group) = code.strip_prefix('{') else {
        return vec![name(code)];
    };
    let (mut names, mut depth, mut fresh) = (Vec::new(), 1, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && is_name(c) => {
                names.push(name(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the name at `at` neither continues another nor is continued.
fn is_whole(code: &str, at: usize, needle: &str) -> bool {
    let continued = |edge: Option<char>, next: Option<char>| {
        edge.is_some_and(is_name) && next.is_some_and(is_name)
    };
    let (before, after) = (&code[..at], &code[at + needle.len()..]);
    !continued(needle.chars().next(), before.chars().next_back())
        && !continued(needle.chars().next_back(), after.chars().next())
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Blanks out everything that is not code; lines stay where they are.
fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let length = blank_length(&chars, at);
        if length == 0 {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        let end = (at + length).min(chars.len());
        code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

/// How many characters from `at` on are a comment, a string or a character literal.
fn blank_length(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let inside_name = at > 0 && is_name(chars[at - 1]);
    match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => quoted(rest, '"'),
        ['r', ..] if !inside_name => raw_string(rest, 1),
        ['b' | 'c', 'r', ..] if !inside_name => raw_string(rest, 2),
        ['\'', '\\', ..] => quoted(rest, '\''),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], end: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != end {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// 0 when what follows the prefix is no raw string, such as the raw name `r#type`.
fn raw_string(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return 0;
    }
    let closes = |at: usize| {
        rest[at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    let end = (open + 1..rest.len()).find(|&at| closes(at));
    end.map_or(rest.len(), |end| end + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        File::new("x.rs", text).code
    }

    #[test]
    fn what_is_no_code_is_blank() {
        for (text, expected) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"a "b \" c" d"#, "a          d"),
            (r##"a r#"b " c"# d"##, "a            d"),
            (r#"a br"\" d"#, "a       d"),
            ("r#type + bar\"x\"", "r#type + bar   "),
            ("'a' + '\\'' + '\"' + x", "    +      +     + x"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("'\\u{1f}' b", "         b"),
            ("\"a\nb\" c", "  \n   c"),
        ] {
            assert_eq!(code(text).trim_end(), expected.trim_end(), "{text}");
            assert_eq!(code(text).chars().count(), text.chars().count(), "{text}");
        }
    }

    #[test]
    fn functions_end_where_their_body_ends() {
        let text = "fn one() {}\ntrait T { fn none(x: [u8; 2]); }\n\nimpl T {\n    pub fn two(&self)\n    \
                    where A: B\n    {\n        let s = \"}\"; // }\n        if x { y('}') }\n    }\n}\n\
                    type F = fn (u8) -> u8;\n";
        let function = |name: &str, line, lines| Function { name: name.into(), line, lines };
        assert_eq!(
            File::new("x.rs", text).functions(),
            [function("one", 1, 1), function("two", 5, 6)]
        );
    }

    #[test]
    fn names_below_a_root_are_found_in_groups_too() {
        let text = "use crate::a::b;\nuse crate::{b::{x, y}, c, self};\nlet _ = not_crate::d;\n\
                    x::crate::e;\nf(crate::g::h());";
        let names: Vec<_> = File::new("x.rs", text).named_below("crate");
        let expected = [(1, "a"), (2, "b"), (2, "c"), (2, "self"), (5, "g")];
        assert_eq!(names, expected.map(|(line, name)| (line, name.to_owned())));
    }

    #[test]
    fn whole_names_only() {
        let file = File::new("x.rs", "println!()\neprintln!()\nasync_x\nasync move");
        assert_eq!(file.lines_with("println!"), [1]);
        assert_eq!(file.lines_with("async"), [4]);
    }
}
