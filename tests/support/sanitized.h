// Whether a sanitizer watches this program: what it allocates is then counted by the sanitizer, and it runs ten times
// as long.
#ifndef IDELTA_TESTS_SUPPORT_SANITIZED_H
#define IDELTA_TESTS_SUPPORT_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IDELTA_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IDELTA_TEST_SANITIZED 1
#endif
#endif
#ifndef IDELTA_TEST_SANITIZED
#define IDELTA_TEST_SANITIZED 0
#endif

#endif  // IDELTA_TESTS_SUPPORT_SANITIZED_H
