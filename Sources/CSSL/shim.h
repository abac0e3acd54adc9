#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
/* Macros, which Swift cannot see. */
static inline int coordinator_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline void coordinator_SSL_CTX_release_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}
static inline int coordinator_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline long coordinator_BIO_get_mem_data(BIO *bio, char **data) {
    return BIO_get_mem_data(bio, data);
}
static inline int coordinator_BIO_reset(BIO *bio) {
    return BIO_reset(bio);
}
