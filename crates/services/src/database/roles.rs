//! Roles that mean the same on every provider.

/// Roles that no policy and no right keeps back, as in a Supabase project.
const ABOVE_POLICIES: &[&str] = &["service_role", "postgres", "supabase_admin"];

/// Whether policies and rights do not hold for a role.
pub fn is_above_policies(role: &str) -> bool {
    ABOVE_POLICIES.contains(&role)
}
