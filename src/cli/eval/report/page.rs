//! A page of HTML in one file, readable by day and by night, on a desk and on a phone.

use std::fmt::Write as _;

use super::draw::COLOURS;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1c1c;--faint:#5f5f5f;--paper:#fff;--line:#d8d8d8;--warning:#fff0c2}\
@media(prefers-color-scheme:dark){\
:root{--ink:#e6e6e6;--faint:#a6a6a6;--paper:#161616;--line:#3c3c3c;--warning:#4a3a00}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:68rem;padding:1rem;background:var(--paper);color:var(--ink);\
font:1rem/1.45 system-ui,sans-serif}\
h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2.5rem;border-top:1px solid var(--line);padding-top:1rem}\
h3{font-size:1rem}\
.warning{background:var(--warning);padding:.5rem .75rem}\
.note,figcaption{color:var(--faint);font-size:.875rem}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line)}\
td:first-child{min-width:9rem;overflow-wrap:anywhere}\
details{margin:.75rem 0}summary{cursor:pointer;padding:.25rem 0}\
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem 2rem}\
figure{margin:0;max-width:34rem}svg{display:block;width:100%;height:auto}\
.legend{list-style:none;margin:.25rem 0;padding:0;font-size:.875rem;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem}\
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:50%;margin-right:.4rem}\
svg [fill='#000000']{fill:var(--ink)}svg [stroke='#000000']{stroke:var(--ink)}";

/// A page that is being written.
pub struct Page(String);

impl Page {
    /// A page with this title.
    pub fn new(title: &str) -> Self {
        let title = escape(title);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}{}</style>\n</head>\n<body>\n",
            colours()
        );
        let _ = writeln!(text, "<h1>{title}</h1>");
        Self(text)
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        let _ = writeln!(self.0, "<p>{}</p>", escape(text));
    }

    /// A paragraph in a small hand.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.0, "<p class=\"note\">{}</p>", escape(text));
    }

    /// A paragraph that is not to be overlooked.
    pub fn warning(&mut self, text: &str) {
        let _ = writeln!(self.0, "<p class=\"warning\" role=\"note\">{}</p>", escape(text));
    }

    pub fn section(&mut self, title: &str) {
        let _ = writeln!(self.0, "<h2>{}</h2>", escape(title));
    }

    /// A table; one that is wider than the page can be moved under it.
    pub fn table<T: AsRef<str>>(&mut self, titles: &[T], rows: &[Vec<String>]) {
        let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        self.0.push_str("<div class=\"wide\"><table>\n<thead>");
        self.0.push_str(&cells("th", &mut titles.iter().map(AsRef::as_ref)));
        self.0.push_str("</thead>\n<tbody>\n");
        for row in rows {
            self.0.push_str(&cells("td", &mut row.iter().map(String::as_str)));
        }
        self.0.push_str("</tbody>\n</table></div>\n");
    }

    /// A table that is shown when asked for; only its title if there is nothing in it.
    pub fn folded<T: AsRef<str>>(&mut self, title: &str, titles: &[T], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return self.text(title);
        }
        let _ = writeln!(self.0, "<details><summary>{}</summary>", escape(title));
        self.table(titles, rows);
        self.0.push_str("</details>\n");
    }

    /// Pictures, beside each other where there is room.
    pub fn figures(&mut self, figures: &[Figure]) {
        self.0.push_str("<div class=\"figures\">\n");
        for Figure { title, svg, legend, caption } in figures {
            let _ = writeln!(self.0, "<figure>\n<h3>{}</h3>\n{svg}\n<ul class=\"legend\">", escape(title));
            for (index, entry) in legend.iter().enumerate() {
                let colour = index % COLOURS.len();
                let entry = escape(entry);
                let _ = writeln!(self.0, "<li><i style=\"background:var(--c{colour})\"></i>{entry}</li>");
            }
            let _ = writeln!(self.0, "</ul>\n<figcaption>{}</figcaption>\n</figure>", escape(caption));
        }
        self.0.push_str("</div>\n");
    }

    /// The HTML of the whole page.
    pub fn finish(self) -> String {
        self.0 + "</body>\n</html>\n"
    }
}

/// A picture with what is around it.
pub struct Figure {
    pub title: String,
    pub svg: String,
    /// What the curves are, in the order of [`COLOURS`].
    pub legend: Vec<String>,
    pub caption: String,
}

/// The curves' colours by day and by night, for pictures and legends.
fn colours() -> String {
    let variables = |which: usize| {
        let each = COLOURS.iter().enumerate().map(|(index, both)| format!("--c{index}:{};", both[which]));
        format!(":root{{{}}}", each.collect::<String>())
    };
    let uses = COLOURS.iter().enumerate().map(|(index, [drawn, _])| {
        format!(
            "svg [fill='{drawn}']{{fill:var(--c{index})}}svg [stroke='{drawn}']{{stroke:var(--c{index})}}"
        )
    });
    let uses = uses.collect::<String>();
    format!("{}@media(prefers-color-scheme:dark){{{}}}{uses}", variables(0), variables(1))
}

/// `text` as it is shown, whatever characters it has.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        let name = "<b>&\"'</b>";
        let mut page = Page::new(name);
        page.text(name);
        page.note(name);
        page.warning(name);
        page.section(name);
        page.folded(name, &[name], &[vec![name.to_owned()]]);
        let [title, caption] = [name.to_owned(), name.to_owned()];
        page.figures(&[Figure { title, svg: "<svg/>".into(), legend: vec![name.to_owned()], caption }]);
        let text = page.finish();
        assert!(!text.contains("<b>") && !text.contains("</b>"), "{text}");
        assert_eq!(text.matches("&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;").count(), 12);
    }
}
