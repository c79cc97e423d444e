#pragma once

#include <string>

namespace sluice::test {

// Public keys, and tokens of user "alice" signed long ago by their private halves, which were
// thrown away: issuer and audience "sluice", exp 4000000000.

inline const std::string kRsaPublicKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3YlMtlNC+uATOHqkeedy\n"
    "RGiLwCPeZA1US7Cou5vgojd2fTzzIOi0qTfunY5OddKf8c3CMQWD0drasKQdFL1j\n"
    "AGEFffGp9mAOc7MaOEev6ne16PhFhZZ6LCTa7l4ERrJLK9RDlYRpV36g3CM4VmUc\n"
    "kVzCLaHTkFZwNxx3QoTpjpTo6/9Xqpra/4NegnKyq4RJbGasuLm+CzK6ZsMWSg/1\n"
    "ZlT5qDTJXJwvXJ6a/uneXaFzNmosd5MsY1dWdG4c1YDoyS7vgXxp0kEFxmw+t2nn\n"
    "HLz3NRVUTP1GFUsrFliszxMz2CdQjrBxozoraRSKEaSqpVwYZgUWqa6aSUTqXrG1\n"
    "YwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

inline const std::string kRs256Token =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJzbHVpY2UiLCJleHAiOjQwMDAwMDAwMDAsImlzcyI"
    "6InNsdWljZSIsInN1YiI6ImFsaWNlIn0.sX4gADdIUoHFuIbGgFeOuZhZrwilTx9rFsGOEhT64KvV28haSbCDcEf"
    "1jRIyfnDVeUWkeZTy3tKbYLHx8fcb1OUcV7_k758paJexN2Y0AsfXTkPtOuSD2fR69LpAtzLlx3ICAdssJ6DygfL"
    "P7szz7sKs9D3LiPdWc6AhEnt0PLgGBmSuV4NJHHA8-opO4EusLQ-Be6H1CKTMsBHRtFX1wVnFBMwechADMgLLYfE"
    "tNK63VGkuubYakVp63uep89F-OwfYYkP5OHzgfinP8ldES8dPqse8Dx0wlZd3zmmf881kC0wUrUytkceD5i0y0Ls"
    "G0i6yInQLh7EzU9fF5yn1pQ";

/// By the same key under another algorithm.
inline const std::string kRs384Token =
    "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJzbHVpY2UiLCJleHAiOjQwMDAwMDAwMDAsImlzcyI"
    "6InNsdWljZSIsInN1YiI6ImFsaWNlIn0.bGUi50vIMvCkfzUQ_E5dnqqbQ8lO5NG2CxZku3cDBAg1XcXRULrcdCA"
    "ZZJiJRRa9qaXLfsnh8t30iOLPIws1rmTydicO_6vOOgFN50x2E12v6eCS7Bh9T5KEp0jMFCFXH9YtHZP4lvO6boM"
    "bEyGxfzfSlhqIhx65xQsrGTCPaKu3w7eHDXWJPzZR8UHzog7xa-PwGEUjVL4evMlIuYTnqkgDeKLen6W2uWLQg8E"
    "Wyk1TYCFyQn6QvFH9ThXXzzYH9pghNwtwPdztefhsd1U3fu0nmTQxR8XTAiZtyzElpqWTtp6PcDczg5PO6LbTk8k"
    "sVMRh6c6ZgzKbgqQaf1ehAA";

inline const std::string kEcPublicKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEoVGwHAm66X3eUHnkUiNGSuMJp0Ac\n"
    "GmCsUH2+sBlv1yspjDLtQq6j/m9ufZ84oeqHLUvkBrdWrvcrzhZSEHG2Jw==\n"
    "-----END PUBLIC KEY-----\n";

inline const std::string kEs256Token =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJzbHVpY2UiLCJleHAiOjQwMDAwMDAwMDAsImlzcyI"
    "6InNsdWljZSIsInN1YiI6ImFsaWNlIn0.QIgEQ_pwpRbbD_0XY_BG6ssRsZlvsI2fq-9inn7Jxc8LRUg4ahXxHlT"
    "sRXFJnUOtJURg-LsjDmFCDCVMmXjDmA";

}  // namespace sluice::test
