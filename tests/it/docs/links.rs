//! Links lead somewhere, and every page can be reached.

use super::pages::{page, pages, root};

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for page_here in pages() {
        let prose: Vec<&str> = page_here.prose().collect();
        for rest in prose.join("\n").split("](").skip(1) {
            let link = rest.split(')').next().unwrap();
            links += 1;
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = page_here.folder().join(file);
            let is_there = match (file, anchor) {
                ("", anchor) => page_here.anchors().iter().any(|it| it == anchor),
                (_, "") => path.exists(),
                (_, anchor) => {
                    let path = path.canonicalize().unwrap_or_else(|_| panic!("{link}"));
                    let path = path.strip_prefix(root().canonicalize().unwrap()).unwrap();
                    page(path.to_str().unwrap()).anchors().iter().any(|it| it == anchor)
                }
            };
            assert!(is_there, "{link} in {}", page_here.path);
        }
    }
    assert!(links > 40, "only {links} links were found");
}

#[test]
fn the_index_names_every_page() {
    let index = page("docs/README.md").text;
    for page in pages() {
        if let Some(name) = page.path.strip_prefix("docs/")
            && name != "README.md"
        {
            assert!(index.contains(&format!("]({name})")), "{name} is not in docs/README.md");
        }
    }
}
