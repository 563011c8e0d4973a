//! What concerns the tenant as a whole: the organisation and what its administrators allow.

use serde_json::{Value, json};

use super::Graph;
use super::reply::{Call, Outcome, Reply};

/// `GET /organization`.
pub(super) fn organization(graph: &Graph, call: &Call<'_>) -> Outcome {
    let tenant = &graph.tenant;
    let domains: Vec<Value> = tenant
        .verified
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let initial = name.ends_with(".onmicrosoft.com");
            json!({
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": index == 0,
                "isInitial": initial,
                "name": name,
                "type": "Managed",
            })
        })
        .collect();
    let card = json!({
        "id": tenant.id,
        "displayName": tenant.name,
        "countryLetterCode": "GB",
        "preferredLanguage": "en",
        "tenantType": "AAD",
        "verifiedDomains": domains,
    });
    call.page("organization", 1, 100, false, |_| card.clone())
}

/// `GET /admin/sharepoint/settings`.
pub(super) fn settings(graph: &Graph, call: &Call<'_>) -> Reply {
    let settings = &graph.settings;
    let mut shown = json!({
        "@odata.type": "#microsoft.graph.sharepointSettings",
        "allowedDomainGuidsForSyncApp": [],
        "availableManagedPathsForSiteCreation": ["/sites/", "/teams/"],
        "deletedUserPersonalSiteRetentionPeriodInDays": settings.deleted_user_personal_site_retention_period_in_days,
        "excludedFileExtensionsForSyncApp": [],
        "idleSessionSignOut": {"isEnabled": false, "warnAfterInSeconds": 0, "signOutAfterInSeconds": 0},
        "imageTaggingOption": "enhanced",
        "isCommentingOnSitePagesEnabled": true,
        "isFileActivityNotificationEnabled": true,
        "isLegacyAuthProtocolsEnabled": settings.is_legacy_auth_protocols_enabled,
        "isLoopEnabled": true,
        "isMacSyncAppEnabled": true,
        "isRequireAcceptingUserToMatchInvitedUserEnabled":
            settings.is_require_accepting_user_to_match_invited_user_enabled,
        "isResharingByExternalUsersEnabled": settings.is_resharing_by_external_users_enabled,
        "isSharePointMobileNotificationEnabled": true,
        "isSharePointNewsfeedEnabled": true,
        "isSiteCreationEnabled": true,
        "isSiteCreationUIEnabled": true,
        "isSitePagesCreationEnabled": true,
        "isSitesStorageLimitAutomatic": true,
        "isSyncButtonHiddenOnPersonalSite": false,
        "isUnmanagedSyncAppForTenantRestricted": false,
        "personalSiteDefaultStorageLimitInMB": 1_048_576,
        "sharingAllowedDomainList": settings.sharing_allowed_domain_list,
        "sharingBlockedDomainList": settings.sharing_blocked_domain_list,
        "sharingCapability": settings.sharing_capability,
        "sharingDomainRestrictionMode": settings.sharing_domain_restriction_mode,
        "siteCreationDefaultManagedPath": "/sites/",
        "siteCreationDefaultStorageLimitInMB": 26_214_400,
        "tenantDefaultTimezone": "(UTC) Coordinated Universal Time",
    });
    if let Value::Object(fields) = &mut shown {
        fields.extend(settings.raw.clone());
    }
    if graph.switches.settings_wrapped {
        return Reply::json(json!({"value": call.picked(shown)}));
    }
    let mut flat = call.picked(shown);
    flat["@odata.context"] = call.context("admin/sharepoint/settings/$entity").into();
    Reply::json(flat)
}
