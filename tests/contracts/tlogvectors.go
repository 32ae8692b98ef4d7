// Command tlogvectors judges Merkle vectors by Go's own transparency log library: it reads one JSON
// array of cases and prints one line, true or false, for each.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

type vector struct {
	LeafIdx, TreeSize, Size1, Size2 json.Number
	Root, LeafHash, Root1, Root2    string
	Proof                           []string
}

func main() {
	var cases []vector
	reader := json.NewDecoder(os.Stdin)
	if err := reader.Decode(&cases); err != nil {
		log.Fatal(err)
	}
	for _, one := range cases {
		fmt.Println(holds(one))
	}
}

func holds(one vector) bool {
	var proof []tlog.Hash
	for _, line := range one.Proof {
		hash, ok := read(line)
		if !ok {
			return false
		}
		proof = append(proof, hash)
	}
	if one.TreeSize != "" {
		size, e1 := one.TreeSize.Int64()
		index, e2 := one.LeafIdx.Int64()
		root, ok1 := read(one.Root)
		leaf, ok2 := read(one.LeafHash)
		return e1 == nil && e2 == nil && ok1 && ok2 && tlog.CheckRecord(proof, size, root, index, leaf) == nil
	}
	older, e1 := one.Size1.Int64()
	newer, e2 := one.Size2.Int64()
	before, ok1 := read(one.Root1)
	after, ok2 := read(one.Root2)
	return e1 == nil && e2 == nil && ok1 && ok2 && tlog.CheckTree(proof, newer, after, older, before) == nil
}

func read(text string) (hash tlog.Hash, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	return hash, err == nil && copy(hash[:], raw) == tlog.HashSize && len(raw) == tlog.HashSize
}
