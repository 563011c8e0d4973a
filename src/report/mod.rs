//! What people and programs read: one writer a format over one source of findings.
//!
//! Writers read a run through [`Pages`], one finding at a time; none holds them all. All text in a
//! finding but `message` is remote: each writer makes it safe for its own format, by [`text`].

pub mod text;
pub mod view;

/// A stored run, read one finding at a time.
pub trait Pages {
    /// Everything but findings and shares.
    fn header(&self) -> &view::Header;

    /// Visits every finding, the worst first; a visitor's error ends the walk and is returned.
    ///
    /// # Errors
    /// Whatever the visitor or the underlying store reports.
    fn findings(&self, visit: &mut dyn FnMut(view::Finding) -> std::io::Result<()>) -> std::io::Result<()>;

    /// Visits every share of the run's scope; none unless all shares were asked for.
    ///
    /// # Errors
    /// Whatever the visitor or the underlying store reports.
    fn shares(&self, visit: &mut dyn FnMut(view::Share) -> std::io::Result<()>) -> std::io::Result<()>;
}
