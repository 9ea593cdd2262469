// Opens a complaint over HTTP, answers it and reads its clocks. Go 1.19 or newer, standard library alone:
//
//	OMBUD_TOKEN=$(cat data/token) go run docs/examples/complaint.go
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

type object map[string]any

var client = &http.Client{Timeout: 30 * time.Second}

func base() string {
	if url := os.Getenv("OMBUD_URL"); url != "" {
		return url
	}
	return "http://127.0.0.1:8080/v1"
}

// send makes one request. It sends again while Ombud has no answer, which a key makes safe.
func send(method, path, key string, body object) (*http.Response, error) {
	for {
		var content io.Reader
		if body != nil {
			encoded, err := json.Marshal(body)
			if err != nil {
				return nil, err
			}
			content = bytes.NewReader(encoded)
		}
		request, err := http.NewRequest(method, base()+path, content)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv("OMBUD_TOKEN"))
		if body != nil {
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Idempotency-Key", key)
		}
		answer, err := client.Do(request)
		if err != nil || answer.StatusCode < 300 {
			return answer, err
		}
		problem := struct{ Detail string }{}
		err = json.NewDecoder(answer.Body).Decode(&problem)
		answer.Body.Close()
		if answer.StatusCode != 429 && answer.StatusCode != 503 {
			return nil, fmt.Errorf("%d: %s (%v)", answer.StatusCode, problem.Detail, err)
		}
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil {
			seconds = 1
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// read decodes the answer to a request.
func read(method, path, key string, body object) (object, error) {
	answer, err := send(method, path, key, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	found := object{}
	return found, json.NewDecoder(answer.Body).Decode(&found)
}

func main() {
	reference := fmt.Sprintf("G-%d", time.Now().UnixMilli())
	if len(os.Args) > 1 {
		reference = os.Args[1]
	}
	opened, err := read("POST", "/complaints", reference, object{
		"contract": "maintenance-service", "reference": reference, "kind": "enquiry", "category": "usage",
		"channel": "phone", "received_at": time.Now().Format(time.RFC3339), "content": "How do I descale it?",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("opened", opened["complaint"])

	path := fmt.Sprintf("/complaints/%s", opened["complaint"])
	told, err := read("POST", path+"/commands/answer", reference+"-1", object{
		"text": "With citric acid, cold.", "by": object{"role": "handler.owner", "person": "chen.lin"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(told["event"], "entry", told["seq"])

	// Postgres follows a moment behind.
	for met := false; !met; time.Sleep(200 * time.Millisecond) {
		found, err := read("GET", path+"/clocks", "", nil)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "404:") {
				log.Fatal(err)
			}
			continue
		}
		for _, clock := range found["clocks"].([]any) {
			state := clock.(map[string]any)
			met = met || state["status"] == "met"
			fmt.Println(state["clause"], state["obligation"], state["status"], state["due_at"])
		}
	}

	answer, err := send("GET", "/records.ndjson", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	rows := 0
	lines := bufio.NewScanner(answer.Body)
	for lines.Buffer(nil, 4<<20); lines.Scan(); rows++ {
	}
	if lines.Err() != nil {
		log.Fatal(lines.Err())
	}
	fmt.Println("records:", rows)
}
