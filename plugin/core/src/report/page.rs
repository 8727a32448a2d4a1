//! The page around the songs.

use super::Song;
use super::song::article;

/// The page on some songs, as HTML. `made_by` names program and model: "MixingBuddy 0.6.0 · compact 0.6.0 · CPU".
///
/// It is dark or light as the reader's system is, fits a phone, and can be printed. All text is escaped.
pub fn page(songs: &[Song<'_>], made_by: &str) -> String {
    let title = match songs {
        [one] => format!("Mix balance: {}", one.name),
        _ => "Mix balance".to_string(),
    };
    let articles: String = songs.iter().map(article).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"dark light\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{articles}</main>\n\
         <footer>{made_by}</footer>\n</body>\n</html>\n",
        title = escaped(&title),
        made_by = escaped(made_by),
    )
}

/// Text in which nothing counts as markup.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in HTML; names of files can contain them.
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The colours are those of the panel, dark and light; a test of the plugin compares them.
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_no_markup() {
        assert_eq!(
            escaped("<script>alert('x') & \"y\"\u{7}</script>"),
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot; &lt;/script&gt;"
        );
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = page(&[], "MixingBuddy");
        for loading in ["<script", "src=", "href=", "url(", "@import", "http"] {
            assert!(!page.contains(loading), "{loading}");
        }
    }
}
