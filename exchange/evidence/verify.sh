#!/bin/sh
# Checks an unpacked bundle of evidence with programs that the exchange did not write.
# 用非本交易所编写的工具核验已解压的证据包。
#
#   sh verify/verify.sh VKEY ROOT.pem        (run in the folder of the bundle)
#
# VKEY and ROOT.pem are the log's key and the root certificate as you know them from elsewhere; with
# those of the bundle itself ("$(cat log.vkey)" pki/root.pem) you learn that it is whole, not whose.
# Debian: apt install coreutils openssl qpdf poppler-utils libnss3-tools
set -eu
vkey=${1:?the log\'s key, name+id+base64}
root=${2:?the root certificate, PEM}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '%s\n' "$*"; }
fail() { say "FAILS: $*"; exit 1; }

# 1. The log's Ed25519 key signed the manifest (C2SP signed-note); every file is as it says.
name=${vkey%%+*}
encoded=${vkey#*+}
encoded=${encoded#*+}
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  printf '%s' "$encoded" | base64 -d | tail -c 32; } > "$work/key.der"
signed() {
  sed '/^$/,$d' "$1" > "$work/text"
  grep "^— $name " "$1" | head -n 1 | cut -d ' ' -f 3 | base64 -d | tail -c +5 > "$work/sig"
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin \
    -in "$work/text" -sigfile "$work/sig" > /dev/null || fail "$1 is not signed by the log's key"
}
signed manifest.note
tail -n +4 "$work/text" > "$work/sums"
deal=$(sed -n '2s/^[a-z]* //p' "$work/text") # or the agreement with the exchange
sha256sum --check --quiet --strict "$work/sums" || fail "a file is not the one that was signed for"
signed checkpoint.txt
say "OK: manifest and checkpoint are signed by $name; $(wc -l < "$work/sums") files as signed"

# 2. The contract is the one whose execution was recorded, and begins with the text as typeset.
pdf=$(sha256sum < contract.pdf | cut -d ' ' -f 1)
grep -E '"kind":"(deal\.(executed|archived|lta-refreshed)|agreement\.(signed|archived))"' events.jsonl |
  grep "\"subject\":\"$deal\"}\$" | tail -n 1 | grep -q "\"pdf_sha256\":\"$pdf\"" ||
  fail "contract.pdf is not the file that was executed"
cmp -s -n "$(wc -c < base.pdf)" base.pdf contract.pdf || fail "contract.pdf has another beginning"
qpdf --check contract.pdf > "$work/qpdf" 2>&1 || { cat "$work/qpdf"; fail "qpdf"; }
say "OK: contract.pdf $pdf was executed; qpdf finds no fault"

# 3. The terms inside are terms.json, before the first signature and after the last.
for one in base.pdf contract.pdf; do
  mkdir "$work/$one"
  pdfdetach -saveall -o "$work/$one" "$one" > /dev/null
  cmp -s "$work/$one/terms.json" terms.json || fail "$one carries other terms than terms.json"
done
say "OK: terms.json is inside base.pdf and contract.pdf"

# 4. Each signature: over its revision, by a certificate that leads to the root (pdfsig, openssl).
certutil -N -d "sql:$work" --empty-password
awk -v at="$work/root" '/BEGIN CERTIFICATE/ { n++ } n { print > (at n ".pem") }' "$root"
for one in "$work"/root*.pem; do
  certutil -A -d "sql:$work" -n "$one" -t 'CT,C,C' -i "$one"
done
pdfsig -nssdir "sql:$work" contract.pdf > "$work/pdfsig" 2> /dev/null || true
wanted=$(ls signatures/*.cms | wc -l)
[ "$(grep -c 'Signature is Valid' "$work/pdfsig")" -ge "$wanted" ] || fail "pdfsig: not all valid"
[ "$(grep -c 'Certificate is Trusted' "$work/pdfsig")" -ge "$wanted" ] || { cat "$work/pdfsig"; fail "pdfsig: not trusted"; }
say "OK: pdfsig finds $wanted signatures valid and their certificates trusted"

cat pki/*.pem > "$work/certificates.pem"
# Time-stamps may be of outside authorities, whose roots the exchange names; signatures may not.
cp "$root" "$work/stamps.pem"
[ ! -e pki/time-roots.pem ] || cat pki/time-roots.pem >> "$work/stamps.pem"
grep -aoE '/ByteRange *\[ *[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ *\]' contract.pdf |
  tr -c '0-9\n' ' ' | sort -n -k 3 > "$work/ranges"
count=0
while read -r start first second rest; do
  head -c $((start + first)) contract.pdf | tail -c "$first" > "$work/tbs"
  tail -c +$((second + 1)) contract.pdf | head -c "$rest" >> "$work/tbs"
  head -c $((second - 1)) contract.pdf | tail -c +$((first + 2)) | tr 'A-F' 'a-f' > "$work/gap"
  for one in signatures/*.cms signatures/archive-*.tst; do
    [ -e "$one" ] || continue
    od -An -v -tx1 "$one" | tr -d ' \n' > "$work/hex"
    cmp -s -n "$(wc -c < "$work/hex")" "$work/hex" "$work/gap" || continue
    count=$((count + 1))
    case $one in
    *.cms)
      openssl cms -verify -binary -inform DER -in "$one" -content "$work/tbs" -CAfile "$root" \
        -certfile "$work/certificates.pem" -purpose any -cades -out /dev/null 2> "$work/said" ||
        { cat "$work/said"; fail "$one"; }
      stamp=${one%.cms}.tst over=${one%.cms}.sig ;;
    *) stamp=$one over=$work/tbs ;;
    esac
    if [ -e "$stamp" ]; then
      openssl ts -verify -token_in -in "$stamp" -data "$over" -CAfile "$work/stamps.pem" \
        -untrusted "$work/certificates.pem" > "$work/said" 2>&1 ||
        { cat "$work/said"; fail "$stamp"; }
    fi
    say "OK: openssl verifies $one$([ -e "$stamp" ] && echo ", timestamp $stamp" || true)"
  done
done < "$work/ranges"
[ "$count" -eq "$(wc -l < "$work/ranges")" ] || fail "a signature of contract.pdf has no copy"
[ "$count" -eq "$(ls signatures/*.cms signatures/archive-*.tst 2> /dev/null | wc -l)" ] ||
  fail "a copy is of no signature of contract.pdf"
# The last signature ends where the file ends: nothing was added after it.
[ "$(tail -n 1 "$work/ranges" | awk '{ print $3 + $4 }')" -eq "$(wc -c < contract.pdf)" ] ||
  fail "something follows the last signature"
say "OK: $count signatures, the last one over the whole file"

# 5. Every fact is in the log (Go's golang.org/x/mod/sumdb).
if command -v go > /dev/null; then
  export GO111MODULE=off GOPATH="${GOPATH:-/usr/share/gocode}" GOCACHE="${GOCACHE:-$work/go}"
  go run verify/tlogverify.go "$vkey" . || fail "tlogverify"
else
  say "NOT CHECKED: the proofs; install golang-go golang-golang-x-mod-dev and run this again"
fi
