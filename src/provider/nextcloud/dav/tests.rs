use proptest::prelude::*;

use super::*;

fn read(text: &[u8]) -> Result<Vec<Resource>, ReadError> {
    let mut answer = Multistatus::in_pieces(vec![bytes::Bytes::copy_from_slice(text)]);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            let mut found = Vec::new();
            while let Some(resource) = answer.next().await? {
                found.push(resource);
            }
            Ok(found)
        })
}

fn code(result: Result<Vec<Resource>, ReadError>) -> ProblemCode {
    match result.unwrap_err() {
        ReadError::Service { code, .. } => code,
        ReadError::Closed(_) => panic!("not a service's failure"),
    }
}

const ONE: &str = r#"<?xml version="1.0"?><x:multistatus xmlns:x="DAV:" xmlns:o="http://owncloud.org/ns">
 <x:response><x:href>/remote.php/dav/files/erin/it%27s%20%26%20more/</x:href>
  <x:propstat><x:prop><o:fileid>468</o:fileid><x:resourcetype><x:collection/></x:resourcetype>
   <o:owner-id>a&amp;b</o:owner-id><o:share-types><o:share-type>3</o:share-type><o:share-type>new</o:share-type></o:share-types>
  </x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>
  <x:propstat><x:prop><o:size>7</o:size></x:prop><x:status>HTTP/1.1 404 Not Found</x:status></x:propstat>
 </x:response></x:multistatus>"#;

#[test]
fn a_resource_is_read_whatever_its_prefixes() {
    let found = read(ONE.as_bytes()).unwrap();
    assert_eq!(found.len(), 1);
    let resource = &found[0];
    assert_eq!(resource.href, "/remote.php/dav/files/erin/it's & more/");
    assert!(resource.folder);
    assert_eq!(resource.file_id.as_deref(), Some("468"));
    assert_eq!(resource.owner.as_deref(), Some("a&b"));
    assert_eq!(resource.share_types, [3, i64::MIN]);
    assert_eq!(resource.size, None, "a property with status 404 was not told");
}

#[test]
fn what_lies_in_folders_is_read_from_a_real_answer() {
    let recorded =
        include_bytes!("../../../../fixtures/wire/nextcloud/f40_search_by_ids_counts.xml").as_slice();
    let found = read(recorded).unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|node| (node.href.as_str(), node.size, node.files, node.folders))
        .collect();
    assert_eq!(
        told,
        [
            ("/remote.php/dav/files/nora/Plans/", Some(88), Some(1), Some(2)),
            ("/remote.php/dav/files/nora/Flat/", Some(38), Some(2), Some(0)),
            ("/remote.php/dav/files/nora/Übung/", Some(21), Some(1), Some(0)),
            ("/remote.php/dav/files/nora/vault.kdbx", Some(19), None, None),
        ]
    );
    let text = String::from_utf8_lossy(recorded).replace("<oc:size>88<", "<oc:size>-1<");
    let found = read(text.as_bytes()).unwrap();
    assert_eq!(found[0].size, None, "not looked into yet");
}

#[test]
fn half_an_answer_is_an_error() {
    for end in 40..ONE.len() {
        assert!(read(&ONE.as_bytes()[..end]).is_err(), "cut after {end} bytes");
    }
    assert_eq!(
        code(read(&ONE.as_bytes()[..ONE.len() - 18])),
        ProblemCode::Truncated
    );
}

#[test]
fn hostile_documents_are_refused() {
    let bomb = r#"<!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><d:multistatus xmlns:d="DAV:">&b;</d:multistatus>"#;
    assert_eq!(code(read(bomb.as_bytes())), ProblemCode::Malformed);
    let own =
        r#"<d:multistatus xmlns:d="DAV:"><d:response><d:href>&b;</d:href></d:response></d:multistatus>"#;
    assert_eq!(code(read(own.as_bytes())), ProblemCode::Malformed);
    let deep = format!(r#"<d:multistatus xmlns:d="DAV:">{}"#, "<a>".repeat(200_000));
    assert_eq!(code(read(deep.as_bytes())), ProblemCode::Malformed);
    assert_eq!(
        code(read(b"<html><body>Log in</body></html>")),
        ProblemCode::Malformed
    );
    assert_eq!(code(read(b"")), ProblemCode::Malformed);
    assert_eq!(code(read(b"{\"ocs\":{}}")), ProblemCode::Malformed);
}

#[test]
fn an_answer_without_resources_is_one() {
    assert_eq!(read(br#"<d:multistatus xmlns:d="DAV:"/>"#).unwrap(), []);
}

proptest! {
    #[test]
    fn any_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_text_in_place_of_a_tag_is_harmless(text in "\\PC{0,40}", at in 60_usize..600) {
        let mut document = ONE.to_owned();
        if document.is_char_boundary(at) {
            document.insert_str(at, &text);
            let _ = read(document.as_bytes());
        }
    }
}
