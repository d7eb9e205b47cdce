//! The user attributes that Cognito has.

/// The standard attributes, and those that Cognito sets itself. All of them are texts.
pub const STANDARD: [&str; 24] = [
    "address",
    "birthdate",
    "cognito:email_alias",
    "cognito:phone_number_alias",
    "cognito:user_status",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "identities",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "sub",
    "updated_at",
    "website",
    "zoneinfo",
];

/// Those whose text is `true` or `false`.
pub(super) const FLAGS: [&str; 2] = ["email_verified", "phone_number_verified"];

/// The similarity from which a name is suggested for another.
const ALIKE: f64 = 0.85;

/// What is wrong with the name of a user attribute, if Cognito has none like it.
pub(super) fn mistaken(name: &str) -> Option<(String, Option<String>)> {
    let known = || STANDARD.into_iter();
    let is_own = ["custom:", "dev:", "cognito:"];
    if known().any(|each| each == name) || is_own.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let text = format!("Cognito has no standard attribute `{name}`");
    let near = nearest(name, known());
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a custom attribute is `user.attributes['custom:{name}']`"),
    };
    Some((text, Some(help)))
}

/// The known name that is nearest to a misspelt one.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let alike = known.map(|known| (strsim::jaro_winkler(&plain(name), &plain(known)), known));
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}
