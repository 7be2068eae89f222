// AWS SDK for Go v2: what its users do with S3, with checksums, by single requests and by its transfer manager.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const bucket = "aws-sdk-go"

var (
	ctx    = context.Background()
	client *s3.Client
	large  = make([]byte, 23<<20)
)

// fail ends the run; the deferred line of main says of which step.
func fail(format string, values ...any) { panic(fmt.Sprintf(format, values...)) }

func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

func same(what string, got, want []byte) {
	if !bytes.Equal(got, want) {
		fail("%s: other bytes, %d instead of %d", what, len(got), len(want))
	}
}

func read(input *s3.GetObjectInput) []byte {
	input.Bucket = aws.String(bucket)
	answer := must(client.GetObject(ctx, input))
	defer answer.Body.Close()
	return must(io.ReadAll(answer.Body))
}

// refused wants this S3 error code.
func refused(code string, err error) {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		fail("%v instead of %s", err, code)
	}
}

func checksums() string {
	must(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}))
	algorithms := []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	}
	for _, algorithm := range algorithms {
		body := []byte("summed by " + string(algorithm))
		key := aws.String("sums/" + string(algorithm) + " ü+%")
		must(client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: key, Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm,
			Metadata: map[string]string{"colour": "red"}, ContentType: aws.String("text/x-sum"),
		}))
		same(string(algorithm), read(&s3.GetObjectInput{Key: key, ChecksumMode: types.ChecksumModeEnabled}), body)
		head := must(client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: key}))
		if head.Metadata["colour"] != "red" || aws.ToString(head.ContentType) != "text/x-sum" {
			fail("metadata: %v", head.Metadata)
		}
	}
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("wrong"), Body: strings.NewReader("x"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	refused("BadDigest", err)
	return fmt.Sprintf("%d checksums", len(algorithms))
}

func transfers() string {
	uploader := manager.NewUploader(client, func(u *manager.Uploader) { u.PartSize = 5 << 20 })
	// A reader that cannot seek: its parts are sent in chunks with a trailer.
	must(uploader.Upload(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("large"), Body: io.MultiReader(bytes.NewReader(large)),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	}))
	buffer := manager.NewWriteAtBuffer(nil)
	downloader := manager.NewDownloader(client, func(d *manager.Downloader) { d.PartSize = 3 << 20 })
	must(downloader.Download(ctx, buffer, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("large")}))
	same("large", buffer.Bytes(), large)
	attributes := must(client.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{
		Bucket: aws.String(bucket), Key: aws.String("large"),
		ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectParts, types.ObjectAttributesObjectSize},
	}))
	if aws.ToInt64(attributes.ObjectSize) != int64(len(large)) || aws.ToInt32(attributes.ObjectParts.TotalPartsCount) != 5 {
		fail("attributes: %+v", attributes.ObjectParts)
	}
	part := read(&s3.GetObjectInput{Key: aws.String("large"), PartNumber: aws.Int32(2)})
	same("part 2", part, large[5<<20:10<<20])
	return "23 MiB by the transfer manager"
}

func listings() string {
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for n := worker; n < 1200; n += 8 {
				must(client.PutObject(ctx, &s3.PutObjectInput{
					Bucket: aws.String(bucket), Key: aws.String(fmt.Sprintf("list/%04d/x", n)), Body: strings.NewReader("x"),
				}))
			}
		})
	}
	wait.Wait()
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: aws.String(bucket), Prefix: aws.String("list/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(500),
	})
	var found []string
	for pages.HasMorePages() {
		for _, prefix := range must(pages.NextPage(ctx)).CommonPrefixes {
			found = append(found, *prefix.Prefix)
		}
	}
	if len(found) != 1200 || !slices.IsSorted(found) {
		fail("%d prefixes", len(found))
	}
	var batch []types.ObjectIdentifier
	for _, prefix := range found[:1000] {
		batch = append(batch, types.ObjectIdentifier{Key: aws.String(prefix + "x")})
	}
	deleted := must(client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket), Delete: &types.Delete{Objects: batch},
	}))
	if len(deleted.Deleted) != 1000 || len(deleted.Errors) != 0 {
		fail("%d deleted, %v", len(deleted.Deleted), deleted.Errors)
	}
	return "1200 prefixes by pages"
}

func conditions() string {
	put := func(body string, change func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
		input := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("cas"), Body: strings.NewReader(body)}
		change(input)
		return client.PutObject(ctx, input)
	}
	first := must(put("one", func(i *s3.PutObjectInput) { i.IfNoneMatch = aws.String("*") }))
	_, err := put("two", func(i *s3.PutObjectInput) { i.IfNoneMatch = aws.String("*") })
	refused("PreconditionFailed", err)
	must(put("two", func(i *s3.PutObjectInput) { i.IfMatch = first.ETag }))
	_, err = put("three", func(i *s3.PutObjectInput) { i.IfMatch = first.ETag })
	refused("PreconditionFailed", err)
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("absent")})
	var absent *types.NoSuchKey
	if !errors.As(err, &absent) {
		fail("%v is not NoSuchKey", err)
	}
	return "conditional writes"
}

func presigned() string {
	signer := s3.NewPresignClient(client)
	put := must(signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("signed ü")}))
	request := must(http.NewRequest(put.Method, put.URL, strings.NewReader("by URL")))
	for name, values := range put.SignedHeader {
		request.Header[name] = values
	}
	if answer := must(http.DefaultClient.Do(request)); answer.StatusCode != 200 {
		fail("presigned PUT: %s %s", answer.Status, must(io.ReadAll(answer.Body)))
	}
	get := must(signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("signed ü")}))
	answer := must(http.Get(get.URL))
	same("presigned", must(io.ReadAll(answer.Body)), []byte("by URL"))
	return "presigned URLs"
}

func versions() string {
	must(client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}))
	for _, body := range []string{"v1", "v2"} {
		must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("v"), Body: strings.NewReader(body)}))
	}
	must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("v")}))
	listed := must(client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String(bucket), Prefix: aws.String("v")}))
	if len(listed.Versions) != 2 || len(listed.DeleteMarkers) != 1 {
		fail("%d versions, %d markers", len(listed.Versions), len(listed.DeleteMarkers))
	}
	same("old", read(&s3.GetObjectInput{Key: aws.String("v"), VersionId: listed.Versions[1].VersionId}), []byte("v1"))
	must(client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("restored"),
		CopySource: aws.String(bucket + "/v?versionId=" + *listed.Versions[1].VersionId),
	}))
	same("restored", read(&s3.GetObjectInput{Key: aws.String("restored")}), []byte("v1"))
	waiter := s3.NewObjectExistsWaiter(client)
	if err := waiter.Wait(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("restored")}, time.Minute); err != nil {
		fail("waiter: %v", err)
	}
	return "versions"
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if strings.HasSuffix(module.Path, "/service/s3") {
			return module.Version
		}
	}
	return "of unknown version"
}

func main() {
	begun := time.Now()
	must(rand.Read(large))
	settings := must(config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1)))
	client = s3.NewFromConfig(settings, func(o *s3.Options) {
		o.UsePathStyle = true
		// A range has no checksum of its own.
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	var notes []string
	steps := []func() string{checksums, transfers, listings, conditions, presigned, versions}
	for number, step := range steps {
		func() {
			defer func() {
				if failure := recover(); failure != nil {
					fmt.Printf("FAILED AWS SDK for Go %s: step %d: %v\n%s", version(), number, failure, debug.Stack())
					os.Exit(1)
				}
			}()
			notes = append(notes, step())
		}()
	}
	fmt.Printf("ok     AWS SDK for Go, s3 %s (%.0f s): %s\n", version(), time.Since(begun).Seconds(), strings.Join(notes, "; "))
}
