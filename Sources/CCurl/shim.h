/* The checks of types are macros for GCC, and are of no use through the functions below. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
/* These are variadic, which Swift cannot call: one function for each kind of argument. */
static inline CURLcode coordinator_easy_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode coordinator_easy_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode coordinator_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode coordinator_easy_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
typedef size_t (*coordinator_data_function)(char *bytes, size_t size, size_t count, void *owner);
static inline CURLcode coordinator_easy_set_data_function(
    CURL *easy, CURLoption option, coordinator_data_function function) {
    return curl_easy_setopt(easy, option, function);
}
typedef curl_socket_t (*coordinator_open_function)(
    void *owner, curlsocktype purpose, struct curl_sockaddr *address);
static inline CURLcode coordinator_easy_set_open_function(
    CURL *easy, coordinator_open_function function) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, function);
}
static inline CURLcode coordinator_easy_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode coordinator_easy_get_size(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode coordinator_easy_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, (char **)value);
}
static inline CURLMcode coordinator_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode coordinator_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return curl_multi_setopt(multi, option, value);
}
typedef int (*coordinator_socket_function)(
    CURL *easy, curl_socket_t socket, int wanted, void *owner, void *assigned);
static inline CURLMcode coordinator_multi_set_socket_function(
    CURLM *multi, coordinator_socket_function function) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, function);
}
typedef int (*coordinator_timer_function)(CURLM *multi, long milliseconds, void *owner);
static inline CURLMcode coordinator_multi_set_timer_function(
    CURLM *multi, coordinator_timer_function function) {
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, function);
}
static inline CURLcode coordinator_result_of(CURLMsg *message) {
    return message->data.result;
}
