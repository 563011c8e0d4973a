//! An emulated Microsoft 365 under test, and a client of it that shares nothing with the program's own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where the emulator is not as expected"
)]

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sharewarden::emulator::{Emulator, Options, World};
use url::Url;

pub(crate) type Failure = Box<dyn std::error::Error>;
pub(crate) type Done = Result<(), Failure>;

pub(crate) const CLIENT: &str = "a0d17000-0000-4000-8000-000000000001";
pub(crate) const TENANT: &str = "5a11e57e-0000-4000-8000-000000000365";
/// The preferences that a scan asks for.
pub(crate) const PREFER: &str =
    "deltashowremovedasdeleted, deltatraversepermissiongaps, deltashowsharingchanges, hierarchicalsharing";

/// The world of few people, to be changed.
pub(crate) fn small() -> Value {
    serde_json::from_str(include_str!("../../fixtures/worlds/m365-small.json")).unwrap()
}

/// The world of few people with some keys of `microsoft365` changed: `switches`, `limits` and the like are merged.
pub(crate) fn small_with(changes: &Value) -> Value {
    let mut world = small();
    for (section, fields) in changes.as_object().unwrap() {
        for (key, value) in fields.as_object().unwrap() {
            world["microsoft365"][section][key] = value.clone();
        }
    }
    world
}

/// An emulated tenant, and a client with a token.
pub(crate) struct Tenant {
    _emulator: Emulator,
    pub(crate) client: reqwest::Client,
    pub(crate) login: Url,
    pub(crate) graph: Url,
    pub(crate) token: String,
}

impl Tenant {
    pub(crate) async fn small() -> Result<Self, Failure> {
        Self::of(&small()).await
    }

    pub(crate) async fn with(changes: Value) -> Result<Self, Failure> {
        Self::of(&small_with(&changes)).await
    }

    pub(crate) async fn of(world: &Value) -> Result<Self, Failure> {
        let world = World::from_json(world.to_string().as_bytes())?;
        let emulator = Emulator::start(world, Options::default()).await?;
        let (login, graph) = (emulator.login_url().unwrap(), emulator.graph_url().unwrap());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()?;
        let mut tenant = Self {
            _emulator: emulator,
            client,
            login,
            graph,
            token: String::new(),
        };
        tenant.renew().await?;
        Ok(tenant)
    }

    /// Takes a new token, with the roles of now; none where the application may not sign in.
    pub(crate) async fn renew(&mut self) -> Done {
        let (_, body) = self.sign_in(&[("client_secret", "small-client-secret")]).await?;
        body["access_token"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut self.token);
        Ok(())
    }

    /// Asks for an application token with this proof; an empty value takes a field away.
    pub(crate) async fn sign_in(&self, proof: &[(&str, &str)]) -> Result<(u16, Value), Failure> {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        for (name, value) in proof {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        self.post_form("example.org/oauth2/v2.0/token", &form).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<(u16, Value), Failure> {
        told(self.client.post(self.login.join(path)?).form(form).send().await?).await
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http://") {
            Url::parse(path)
        } else {
            self.graph.join(path)
        };
        self.client.request(method, url.unwrap()).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<(u16, Value), Failure> {
        told(self.ask(Method::GET, path).send().await?).await
    }

    /// A good answer's list.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let (status, body) = self.get(path).await?;
        assert_eq!(status, 200, "{path}: {body}");
        Ok(body["value"].as_array().unwrap().clone())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<(u16, Value), Failure> {
        told(self.ask(method, path).json(&body).send().await?).await
    }

    pub(crate) async fn steer(&self, what: &str, body: Value) -> Result<Value, Failure> {
        let url = self.login.join("__emulator/")?.join(what)?;
        let (status, body) = told(self.client.post(url).json(&body).send().await?).await?;
        if status == 200 {
            Ok(body)
        } else {
            Err(body.to_string().into())
        }
    }

    pub(crate) async fn steered(&self, what: &str) -> Result<Value, Failure> {
        let url = self.login.join("__emulator/")?.join(what)?;
        Ok(self.client.get(url).send().await?.json().await?)
    }

    /// Makes the next request, and no other, go wrong.
    pub(crate) async fn fault(&self, matches: Value, action: Value) -> Done {
        self.steer("fault", json!({"match": matches, "times": 1, "action": action}))
            .await?;
        Ok(())
    }

    /// The drive of a person.
    pub(crate) async fn drive(&self, upn: &str) -> Result<String, Failure> {
        let (status, body) = self.get(&format!("users/{upn}/drive")).await?;
        assert_eq!(status, 200, "{body}");
        Ok(body["id"].as_str().unwrap().to_owned())
    }

    /// The first library of a site.
    pub(crate) async fn site_drive(&self, path: &str) -> Result<String, Failure> {
        let (status, body) = self
            .get(&format!("sites/example.sharepoint.com:{path}:/drive"))
            .await?;
        assert_eq!(status, 200, "{body}");
        Ok(body["id"].as_str().unwrap().to_owned())
    }

    /// All pages of delta from an address on, and the address for next time.
    pub(crate) async fn walk(&self, from: &str, prefer: &str) -> Result<(Vec<Value>, String), Failure> {
        let mut items = Vec::new();
        let mut url = from.to_owned();
        for _ in 0..10_000 {
            let request = self.ask(Method::GET, &url).header("Prefer", prefer);
            let (status, body) = told(request.send().await?).await?;
            assert_eq!(status, 200, "{body}");
            items.extend(body["value"].as_array().unwrap().clone());
            match (
                body["@odata.nextLink"].as_str(),
                body["@odata.deltaLink"].as_str(),
            ) {
                (Some(next), None) => next.clone_into(&mut url),
                (None, Some(last)) => return Ok((items, last.to_owned())),
                links => panic!("not one link: {links:?}"),
            }
        }
        panic!("delta does not end")
    }

    /// The id of an item by its name.
    pub(crate) async fn item(&self, drive: &str, name: &str) -> Result<String, Failure> {
        let (items, _) = self.walk(&format!("drives/{drive}/root/delta"), "").await?;
        let found = items.iter().find(|item| item["name"] == name);
        Ok(id(found.unwrap_or_else(|| panic!("no {name}"))))
    }

    /// The permissions of an item by its name.
    pub(crate) async fn permissions(&self, drive: &str, name: &str) -> Result<Vec<Value>, Failure> {
        let item = self.item(drive, name).await?;
        self.list(&format!("drives/{drive}/items/{item}/permissions"))
            .await
    }
}

pub(crate) async fn told(answer: Response) -> Result<(u16, Value), Failure> {
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

pub(crate) fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// An error's code, and the one within.
pub(crate) fn codes(body: &Value) -> (&str, &str) {
    let text = |value: &'_ Value| -> Option<usize> { value.as_str().map(str::len) };
    assert!(text(&body["error"]["message"]).is_some(), "{body}");
    let error = &body["error"];
    (
        error["code"].as_str().unwrap_or_default(),
        error["innerError"]["code"].as_str().unwrap_or_default(),
    )
}

/// The names of items, sorted.
pub(crate) fn names(items: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
    names.sort_unstable();
    names
}
