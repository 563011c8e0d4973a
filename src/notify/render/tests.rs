use super::*;

fn facts() -> Facts {
    Facts {
        sender: "Share audit".into(),
        contact: "it-security@example.org".into(),
        zone: TimeZone::UTC,
        sources: BTreeMap::from([
            place("cloud", SourceKind::Nextcloud, Some("https://cloud.example.org")),
            place("m365", SourceKind::Microsoft365, None),
        ]),
    }
}

fn place(source: &str, product: SourceKind, start: Option<&str>) -> (SourceName, Place) {
    let start = start.map(str::to_owned);
    (SourceName::new(source), Place { product, start })
}

fn renderer() -> Renderer {
    Renderer::new(&BTreeMap::new(), facts()).unwrap()
}

#[test]
fn show() {
    let renderer = renderer();
    for letter in sample::letters() {
        let r = renderer.render(&letter).unwrap();
        println!("=====\n{}\n{}\n", r.subject, r.text);
    }
}
