// Package provider x
package provider
