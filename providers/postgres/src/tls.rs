//! Encryption of connections: `sslmode` and `sslrootcert` of the URL, as libpq reads them.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use truststream_kernel::{Error, Result};

/// What of the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// That the server holds its key: against listening, not against another server.
    Key,
    /// That a trusted authority made it.
    Authority,
    /// That it was made for this host, too.
    Host,
}

/// A connection URL taken apart.
pub(crate) struct Url {
    pub(crate) config: tokio_postgres::Config,
    check: Check,
    /// A file of trusted authorities; those of the system if absent.
    authorities: Option<String>,
}

impl Url {
    /// Reads a URL. The words of libpq that tokio-postgres doesn't know are taken out before.
    ///
    /// # Errors
    /// `Configuration` if it is malformed.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authorities, mut kept) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", _)) => {
                    let mut decoded = url::form_urlencoded::parse(pair.as_bytes());
                    authorities = decoded.next().map(|(_, file)| file.into_owned());
                }
                _ => kept.push(pair),
            }
        }
        let plain = if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
        let mut config: tokio_postgres::Config = plain.parse().map_err(malformed)?;
        let check = match mode {
            Some("disable") => (SslMode::Disable, Check::Key),
            Some("prefer") => (SslMode::Prefer, Check::Key),
            // As in libpq: who names authorities wants them to be asked.
            Some("require") if authorities.is_some() => (SslMode::Require, Check::Authority),
            Some("require") => (SslMode::Require, Check::Key),
            Some("verify-ca") => (SslMode::Require, Check::Authority),
            Some("verify-full") => (SslMode::Require, Check::Host),
            Some(other) => return Err(unknown_mode(other)),
            None => (config.get_ssl_mode(), Check::Key),
        };
        config.ssl_mode(check.0);
        Ok(Url { config, check: check.1, authorities: authorities.filter(|file| file != "system") })
    }

    /// What encrypts the connections.
    ///
    /// # Errors
    /// `Configuration` if the file of authorities can't be read.
    pub(crate) fn encryption(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS can't be set up").with_source(error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        if self.check == Check::Key {
            return Ok(Arc::new(Lenient { provider: Arc::clone(provider), authorities: None }));
        }
        let roots = Arc::new(self.roots()?);
        let full = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build().map_err(
            |error| Error::configuration("no authority is trusted (sslrootcert)").with_source(error),
        )?;
        if self.check == Check::Host {
            return Ok(full);
        }
        Ok(Arc::new(Lenient { provider: Arc::clone(provider), authorities: Some(full) }))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(file) => {
                let unreadable = |error: rustls::pki_types::pem::Error| {
                    Error::configuration(format!("sslrootcert: {file} can't be read")).with_source(error)
                };
                for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
                    roots.add(certificate.map_err(unreadable)?).map_err(|error| {
                        Error::configuration(format!("sslrootcert: {file} holds no authority"))
                            .with_source(error)
                    })?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }
}

fn malformed(error: tokio_postgres::Error) -> Error {
    Error::configuration("the url of the PostgreSQL backend is malformed")
        .with_hint("expected postgresql://user:password@host:port/database")
        .with_source(error)
}

fn unknown_mode(mode: &str) -> Error {
    Error::configuration(format!("sslmode={mode} is unknown"))
        .with_hint("expected disable, prefer, require, verify-ca or verify-full")
}

/// Asks less than all of a certificate: any, or any that a trusted authority made.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at once all else holds.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_libpq_s() {
        let read = |query: &str| {
            let url = Url::parse(&format!("postgresql://u@h:1/d?{query}"))?;
            Ok::<_, Error>((url.config.get_ssl_mode(), url.check))
        };
        assert_eq!(read("").unwrap(), (SslMode::Prefer, Check::Key));
        assert_eq!(read("sslmode=disable").unwrap(), (SslMode::Disable, Check::Key));
        assert_eq!(read("sslmode=require").unwrap(), (SslMode::Require, Check::Key));
        assert_eq!(read("sslmode=require&sslrootcert=%2Fca").unwrap(), (SslMode::Require, Check::Authority));
        assert_eq!(read("sslmode=verify-ca").unwrap(), (SslMode::Require, Check::Authority));
        let full = Url::parse("postgresql://h/d?sslmode=verify-full&application_name=a&sslrootcert=%2Fca");
        let full = full.unwrap();
        assert_eq!((full.check, full.authorities.as_deref()), (Check::Host, Some("/ca")));
        assert_eq!(full.config.get_application_name(), Some("a"));
        assert_eq!(read("sslmode=allow").unwrap_err().message(), "sslmode=allow is unknown");
    }
}
