// Command tlogverify checks an unpacked bundle of evidence against the key of the log, with Go's own
// transparency log library (golang.org/x/mod/sumdb) and nothing written by the exchange.
//
//	go run verify/tlogverify.go "$VKEY" .
//
// On Debian: apt install golang-go golang-golang-x-mod-dev, then set GO111MODULE=off and
// GOPATH=/usr/share/gocode.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type event struct {
	Index   int64           `json:"index"`
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Blind   string          `json:"blind"`
	Leaf    string          `json:"leaf"`
	Record  json.RawMessage `json:"record"`
}

// prints holds the facts that name the hash of the contract's file.
var prints = map[string]bool{
	"deal.executed": true, "deal.archived": true, "deal.lta-refreshed": true,
	"agreement.signed": true, "agreement.archived": true,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: tlogverify VKEY FOLDER")
	}
	key, err := note.NewVerifier(os.Args[1])
	must(err, "the log's key")
	folder := os.Args[2]
	files, deal := manifest(key, folder)
	size, root := checkpoint(key, read(folder, "checkpoint.txt"))
	lines := bufio.NewScanner(bytes.NewReader(read(folder, "events.jsonl")))
	lines.Buffer(nil, 1<<30)
	facts, executed := 0, ""
	for lines.Scan() {
		var one event
		must(json.Unmarshal(lines.Bytes(), &one), "events.jsonl")
		proved(folder, key, one, size, root)
		opened(one)
		if one.Subject == deal && prints[one.Kind] {
			var record struct {
				PDF string `json:"pdf_sha256"`
			}
			must(json.Unmarshal(one.Record, &record), one.Kind)
			executed = record.PDF
		}
		facts++
	}
	must(lines.Err(), "events.jsonl")
	if executed != hash(read(folder, "contract.pdf")) {
		log.Fatal("contract.pdf: is not the file that was executed")
	}
	fmt.Printf("OK: %d files as signed, %d facts in the log of %d leaves, contract.pdf was executed\n",
		files, facts, size)
}

// manifest checks that the log's key signed the hash of every file; it returns their number, and the
// deal, or the agreement with the exchange.
func manifest(key note.Verifier, folder string) (int, string) {
	signed, err := note.Open(read(folder, "manifest.note"), note.VerifierList(key))
	must(err, "manifest.note")
	lines := strings.Split(strings.TrimSuffix(signed.Text, "\n"), "\n")
	if len(lines) < 4 || lines[0] != "uhdx.evidence/v1" {
		log.Fatal("manifest.note: is not a manifest of evidence")
	}
	for _, line := range lines[3:] {
		parts := strings.SplitN(line, "  ", 2)
		if len(parts) != 2 || hash(read(folder, parts[1])) != parts[0] {
			log.Fatalf("manifest.note: not the file that was signed: %s", line)
		}
	}
	_, about, _ := strings.Cut(lines[1], " ")
	return len(lines) - 3, about
}

// checkpoint returns the size and the root that the log has signed.
func checkpoint(key note.Verifier, raw []byte) (int64, tlog.Hash) {
	signed, err := note.Open(raw, note.VerifierList(key))
	must(err, "checkpoint")
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		log.Fatal("checkpoint: not three lines of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err, "checkpoint")
	root, err := tlog.ParseHash(lines[2])
	must(err, "checkpoint")
	return size, root
}

// proved checks that the fact's proof leads from its leaf to the root.
func proved(folder string, key note.Verifier, one event, size int64, root tlog.Hash) {
	name := fmt.Sprintf("proofs/%d.tlog-proof", one.Index)
	parts := strings.SplitN(string(read(folder, name)), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" ||
		lines[1] != fmt.Sprintf("index %d", one.Index) {
		log.Fatalf("%s: is not the proof of this fact", name)
	}
	if its, top := checkpoint(key, []byte(parts[1])); its != size || top != root {
		log.Fatalf("%s: is under another checkpoint", name)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hashed, err := tlog.ParseHash(line)
		must(err, name)
		proof = append(proof, hashed)
	}
	must(tlog.CheckRecord(proof, size, root, one.Index, tlog.RecordHash([]byte(one.Leaf))), name)
}

// opened checks that the leaf commits to the record; what is withheld has no blind.
func opened(one event) {
	if one.Blind == "" {
		return
	}
	var leaf struct {
		C string `json:"c"`
	}
	must(json.Unmarshal([]byte(one.Leaf), &leaf), "leaf")
	blind, err := hex.DecodeString(one.Blind)
	must(err, "blind")
	if hash([]byte("uhdx/leaf/v1\x00"), blind, one.Record) != leaf.C {
		log.Fatalf("events.jsonl: the record at index %d does not open its leaf", one.Index)
	}
}

func hash(parts ...[]byte) string {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return hex.EncodeToString(sum[:])
}

func read(folder, name string) []byte {
	raw, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
	must(err, name)
	return raw
}

func must(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}
