//! What an auth provider may say it can do.

truststream_kernel::features! {
    /// Features of the Auth service.
    AuthFeature {
        /// Sign-up and sign-in with a password.
        Passwords = "passwords",
        /// Users without an address.
        Anonymous = "anonymous",
        /// Users whose password comes as a hash from elsewhere.
        PasswordHashes = "password_hashes",
        /// Users kept as an empty shell when they are deleted.
        SoftDelete = "soft_delete",
        /// Second factors: codes of an authenticator app.
        SecondFactors = "second_factors",
    }
}
