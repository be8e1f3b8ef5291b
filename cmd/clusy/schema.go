package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/intent"
)

// schemaCommand prints what other programs generate from. It needs no server:
// the schemas are part of the binary.
func schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the schemas that editors and generators read",
		Long: `Print the schemas that editors and generators read, as JSON.

They are part of this binary: no server is asked, and the same binary prints
the same bytes every time.`,
		Example: "clusy schema intent > clusy.schema.json\nclusy schema api > openapi.json",
		Args:    cobra.NoArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "api",
		Short: "Print the OpenAPI 3.1 document of the HTTP API",
		Long: `Print the OpenAPI 3.1 document of the HTTP API.

It is what a server of this version serves at /openapi.json, but for
info.version: that is the API's here, and the build's there. Clients in any
language can be generated from it.`,
		Example: "clusy schema api > openapi.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := apiSchema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "intent",
		Short: "Print the JSON Schema of the intent file",
		Long: `Print the JSON Schema (2020-12) of the intent file.

An editor with the YAML language server completes and checks an intent whose
first line names the schema, as clusy init writes it:

  # yaml-language-server: $schema=./clusy.schema.json`,
		Example: "clusy schema intent > clusy.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := intent.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		},
	})
	return cmd
}

// apiSchema is the API's document, indented. It carries the version of the API
// and not of this build, so that a file generated from it changes only when
// the API does.
func apiSchema() ([]byte, error) {
	server := api.Server{Version: "v1"}
	flat, err := json.Marshal(server.Spec())
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, flat, "", "  "); err != nil {
		return nil, fmt.Errorf("indent the OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
