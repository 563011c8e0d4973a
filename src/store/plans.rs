//! Plans as they were recorded, and what is known of each source as a whole: what planning begins with.

use rusqlite::{OptionalExtension, params};

use super::{Ledger, Result, storable, stored};
use crate::model::{SourceFacts, SourceName};
use crate::plan::Plan;

impl Ledger {
    /// Keeps what is known of a source as a whole, in place of what was.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn keep_facts(&mut self, source: &SourceName, facts: &SourceFacts) -> Result<()> {
        self.connection.execute(
            "UPDATE source SET facts = ?2 WHERE name = ?1",
            params![source.as_str(), storable("facts of a source", facts)?],
        )?;
        Ok(())
    }

    /// What is known of a source as a whole, as a scan last read it; `None` before the first.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn facts(&self, source: &SourceName) -> Result<Option<SourceFacts>> {
        let facts: Option<Option<String>> = self
            .connection
            .query_row(
                "SELECT facts FROM source WHERE name = ?1",
                [source.as_str()],
                |row| row.get(0),
            )
            .optional()?;
        facts
            .flatten()
            .map(|facts| stored("facts of a source", &facts))
            .transpose()
    }

    /// Records a plan: only one that is recorded can be carried out.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn record_plan(&mut self, plan: &Plan) -> Result<()> {
        self.connection.execute(
            "INSERT INTO plan (id, created_at, expires_at, digest, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                plan.id,
                plan.created_at.as_second(),
                plan.expires_at.as_second(),
                plan.digest,
                storable("a plan", plan)?
            ],
        )?;
        Ok(())
    }

    /// A plan as it was recorded.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn recorded_plan(&self, id: &str) -> Result<Option<Plan>> {
        let body: Option<String> = self
            .connection
            .query_row("SELECT body FROM plan WHERE id = ?1", [id], |row| row.get(0))
            .optional()?;
        body.map(|body| stored("a plan", &body)).transpose()
    }
}
