//! Forgets the folders of a drive that were deleted, so that what is kept of it does not grow from night to night.

use super::Tree;

/// How many deleted folders are worth the work.
const MANY: usize = 1_000;

impl Tree {
    /// Leaves out the folders that were deleted, with all that lay in them, where they are many. Folders get other numbers.
    pub(in crate::provider::microsoft365) fn compact(&mut self) {
        if !self.folders.iter().any(|folder| folder.gone) {
            return;
        }
        let gone: Vec<bool> = (0..self.folders.len())
            .map(|number| self.is_gone(Some(number)))
            .collect();
        let is_gone = |number: usize| gone.get(number).copied().unwrap_or(true);
        let many = gone.iter().filter(|gone| **gone).count();
        let places = self.roots.values().flat_map(|root| {
            let past = root.past.and_then(|past| past.parent);
            [root.folder, root.parent, past]
        });
        // An item that seems to lie in one is to be listed first.
        if many < MANY.max(self.folders.len() / 4) || places.flatten().any(is_gone) {
            return;
        }
        let mut next = 0;
        let numbers: Vec<Option<usize>> = gone
            .iter()
            .map(|gone| {
                let number = (!gone).then_some(next);
                next += usize::from(!gone);
                number
            })
            .collect();
        let number_of = |number: usize| numbers.get(number).copied().flatten();
        let mut number = 0;
        self.folders.retain_mut(|folder| {
            let parent = folder.parent().and_then(number_of);
            folder.parent = parent.and_then(|parent| u32::try_from(parent).ok());
            number += 1;
            number_of(number - 1).is_some()
        });
        let renumber = |number: &mut usize| {
            let known = number_of(*number);
            known.inspect(|new| *number = *new).is_some()
        };
        self.numbers.retain(|_, number| renumber(number));
        self.candidates.retain(|_, (parent, _)| renumber(parent));
        if let Some(files) = &mut self.files {
            files.retain(|_, parent| renumber(parent));
        }
        self.top = self.top.and_then(number_of);
        let granted = std::mem::take(&mut self.granted).into_iter();
        self.granted = granted
            .filter_map(|(folder, signs)| Some((number_of(folder)?, signs)))
            .collect();
        for root in self.roots.values_mut() {
            root.folder = root.folder.and_then(number_of);
            root.parent = root.parent.and_then(number_of);
            if let Some(past) = &mut root.past {
                past.parent = past.parent.and_then(number_of);
            }
        }
        self.note_sources();
    }
}
