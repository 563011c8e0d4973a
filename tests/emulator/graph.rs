//! The emulated Microsoft 365 against what its documentation and recorded answers say: signing in, lists, permissions,
//! changes, batches and throttling.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sharewarden::emulator::{Emulator, Options, World};
use url::Url;

pub(crate) type Failure = Box<dyn std::error::Error>;
pub(crate) type Done = Result<(), Failure>;

const CLIENT: &str = "a0d17000-0000-4000-8000-000000000001";
pub(crate) const PREFER: &str =
    "deltashowremovedasdeleted, deltatraversepermissiongaps, deltashowsharingchanges, hierarchicalsharing";

/// The world of few people, to be changed.
pub(crate) fn small() -> Value {
    serde_json::from_str(include_str!("../../fixtures/worlds/m365-small.json")).unwrap()
}

/// An emulated tenant, and a client with a token.
pub(crate) struct Tenant {
    _emulator: Emulator,
    client: reqwest::Client,
    pub(crate) login: Url,
    pub(crate) graph: Url,
    pub(crate) token: String,
}

impl Tenant {
    pub(crate) async fn small() -> Result<Self, Failure> {
        Self::of(&small()).await
    }

    pub(crate) async fn of(world: &Value) -> Result<Self, Failure> {
        let world = World::from_json(world.to_string().as_bytes())?;
        let emulator = Emulator::start(world, Options::default()).await?;
        let (login, graph) = (emulator.login_url().unwrap(), emulator.graph_url().unwrap());
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()?;
        let mut tenant = Self {
            _emulator: emulator,
            client,
            login,
            graph,
            token: String::new(),
        };
        let (_, body) = tenant
            .sign_in(&[("client_secret", "small-client-secret")])
            .await?;
        tenant.token = body["access_token"].as_str().unwrap_or_default().to_owned();
        Ok(tenant)
    }

    /// Asks for an application token with this proof.
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
        let answer = self.client.post(self.login.join(path)?).form(form).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = Url::parse(path).unwrap_or_else(|_| self.graph.join(path).unwrap());
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<(u16, Value), Failure> {
        told(self.ask(Method::GET, path).send().await?).await
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

    /// The drive of a person.
    pub(crate) async fn drive(&self, upn: &str) -> Result<String, Failure> {
        let (status, body) = self.get(&format!("users/{upn}/drive")).await?;
        assert_eq!(status, 200, "{body}");
        Ok(body["id"].as_str().unwrap().to_owned())
    }

    /// The drive of a site by its path.
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
        for _ in 0..1000 {
            let (status, body) = told(
                self.ask(Method::GET, &url)
                    .header("Prefer", prefer)
                    .send()
                    .await?,
            )
            .await?;
            assert_eq!(status, 200, "{body}");
            items.extend(body["value"].as_array().cloned().unwrap_or_default());
            match (
                body["@odata.nextLink"].as_str(),
                body["@odata.deltaLink"].as_str(),
            ) {
                (Some(next), None) => url = next.to_owned(),
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
        Ok(found.unwrap_or_else(|| panic!("no {name}"))["id"]
            .as_str()
            .unwrap()
            .to_owned())
    }

    pub(crate) async fn permissions(&self, drive: &str, item: &str) -> Result<Vec<Value>, Failure> {
        let (status, body) = self
            .get(&format!("drives/{drive}/items/{item}/permissions"))
            .await?;
        assert_eq!(status, 200, "{body}");
        Ok(body["value"].as_array().cloned().unwrap_or_default())
    }
}

pub(crate) async fn told(answer: Response) -> Result<(u16, Value), Failure> {
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

#[tokio::test]
async fn an_application_signs_in_and_reads() -> Done {
    let tenant = Tenant::small().await?;
    assert_eq!(tenant.token.split('.').count(), 3);
    let (status, body) = tenant
        .get("users?$select=id,userPrincipalName,accountEnabled&$top=3")
        .await?;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["value"].as_array().unwrap().len(), 3);
    let next = body["@odata.nextLink"].as_str().unwrap();
    assert!(
        next.starts_with(tenant.graph.as_str()) && next.contains("$top=3"),
        "{next}"
    );
    let (_, rest) = tenant.get(next).await?;
    assert_eq!(rest["value"].as_array().unwrap().len(), 3);
    let (_, sites) = tenant.get("sites/getAllSites").await?;
    assert_eq!(sites["value"].as_array().unwrap().len(), 5 + 5, "{sites}");
    let drive = tenant.drive("alice@example.org").await?;
    let (items, _) = tenant.walk(&format!("drives/{drive}/root/delta"), PREFER).await?;
    for item in &items {
        println!("{item}");
    }
    for one in tenant
        .permissions(&drive, &tenant.item(&drive, "plan.docx").await?)
        .await?
    {
        println!("{one}");
    }
    let (status, body) = tenant.get("admin/sharepoint/settings").await?;
    assert_eq!(status, 200, "{body}");
    assert!(json!(body)["value"]["sharingCapability"].is_string());
    Ok(())
}
