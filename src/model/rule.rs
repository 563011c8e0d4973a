//! The names of the rules; what they say and when they fire is the policy's business.

use super::names;

names! {
    /// Names a rule, the same in configuration, reports, ledger and documentation.
    RuleId {
        /// A link that opens without a password.
        LinkWithoutPassword = "link-without-password",
        /// A link that works for ever.
        LinkWithoutExpiry = "link-without-expiry",
        /// A link that works too long.
        LinkExpiryTooFar = "link-expiry-too-far",
        /// A link through which anyone may change or delete.
        LinkAllowsEditing = "link-allows-editing",
        /// A link through which anyone may add.
        LinkAllowsUpload = "link-allows-upload",
        /// Something confidential that is open wide.
        ClassifiedItemExposed = "classified-item-exposed",
        /// A Microsoft link that works for the whole organisation.
        OrganizationWideLink = "organization-wide-link",
        /// A grant to everyone.
        EveryoneGrant = "everyone-grant",
        /// A grant to a group as good as everyone.
        WideGroupGrant = "wide-group-grant",
        /// A grant to a team or room whose members were not read.
        UnreadMembership = "unread-membership",
        /// A recipient outside the organisation.
        ExternalRecipient = "external-recipient",
        /// A guest account among the recipients.
        GuestRecipient = "guest-recipient",
        /// A mailing list among the recipients.
        MailingListRecipient = "mailing-list-recipient",
        /// A password that travels the same way as the link.
        PasswordSentByMail = "password-sent-by-mail",
        /// A recipient that never signed in.
        RecipientNeverLoggedIn = "recipient-never-logged-in",
        /// A recipient that left.
        DepartedRecipient = "departed-recipient",
        /// A share whose owner or sharer left.
        OrphanedShare = "orphaned-share",
        /// A link that somebody else than the owner made.
        ResharedByOther = "reshared-by-other",
        /// A share that nobody looked at for too long.
        UnreviewedShare = "unreviewed-share",
        /// A share that lost its password or its expiry.
        ProtectionRemoved = "protection-removed",
        /// An unprotected link to something confidential was used.
        BreachSuspected = "breach-suspected",
        /// A share of a kind that this version does not know.
        UnrecognizedShare = "unrecognized-share",
        /// The service does not enforce passwords on links.
        PosturePasswordNotEnforced = "posture-password-not-enforced",
        /// The service does not enforce expiry dates on links.
        PostureExpiryNotEnforced = "posture-expiry-not-enforced",
        /// The service mails passwords of mail shares.
        PosturePasswordsMailed = "posture-passwords-mailed",
        /// The service accepts weak passwords.
        PostureWeakPasswordPolicy = "posture-weak-password-policy",
        /// The tenant allows anonymous links.
        PostureAnonymousLinksAllowed = "posture-anonymous-links-allowed",
        /// Guests may share on.
        PostureResharingByGuests = "posture-resharing-by-guests",
    }
}

impl RuleId {
    /// Whether the rule judges a source's settings rather than a share.
    #[must_use]
    pub fn is_posture(self) -> bool {
        self >= Self::PosturePasswordNotEnforced
    }

    /// Whether its findings end only when somebody says so, whatever becomes of the share.
    #[must_use]
    pub fn ends_by_hand(self) -> bool {
        self == Self::BreachSuspected
    }
}
