//! The sentences that the server translates. German stands for every language that is not English.

/// The language of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

impl Language {
    /// From a code such as `de_DE`; anything unknown is English.
    pub(crate) fn of(code: &str) -> Self {
        if code.to_ascii_lowercase().starts_with("de") {
            Self::German
        } else {
            Self::English
        }
    }

    /// The sentence in this language; untranslated ones stay English.
    pub(crate) fn say(self, english: &str) -> String {
        let german = GERMAN
            .iter()
            .find(|(known, _)| self == Self::German && *known == english);
        german.map_or(english, |(_, german)| german).to_owned()
    }
}

const GERMAN: [(&str, &str); 10] = [
    ("Shared link", "Geteilter Link"),
    ("Team owned by", "Team im Besitz von"),
    (
        "You are not allowed to edit incoming shares",
        "Du darfst eingehende Freigaben nicht bearbeiten",
    ),
    (
        "Cannot increase permissions of ",
        "Kann die Berechtigungen von  nicht erhöhen",
    ),
    (
        "Wrong share ID, share does not exist",
        "Falsche Freigabe-ID, die Freigabe existiert nicht",
    ),
    (
        "Wrong path, file/folder does not exist",
        "Falscher Pfad, Datei/Ordner existiert nicht",
    ),
    (
        "Expiration date is in the past",
        "Das Ablaufdatum liegt in der Vergangenheit",
    ),
    (
        "Invalid date. Format must be YYYY-MM-DD",
        "Ungültiges Datum. Das Format muss YYYY-MM-DD sein",
    ),
    ("Could not delete share", "Freigabe konnte nicht gelöscht werden"),
    (
        "Wrong or no update parameter given",
        "Es wurde ein falscher oder kein Updateparameter angegeben",
    ),
];
