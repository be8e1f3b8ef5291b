package main

import "github.com/spf13/cobra"

func benchSeedCommand() *cobra.Command { return &cobra.Command{Use: "seed", Hidden: true} }
