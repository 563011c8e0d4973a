//! What changes a Nextcloud, against the emulated one: what is changed, what is not, and what is known afterwards.

#[cfg(test)]
mod changing;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod remaking;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod stage;
