//! What an auth provider may say it can do.

truststream_kernel::features! {
    /// Features of the Auth service.
    AuthFeature {
        /// Sign-up and sign-in by password.
        Passwords = "passwords",
        /// Users without credentials.
        Anonymous = "anonymous",
        /// Administration of users.
        Admin = "admin",
    }
}
