// AWS SDK for Java 2: single requests, parts, pages, presigned URLs, conditions, versions, errors.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.*;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

public final class Main {
    private static final String BUCKET = "aws-sdk-java";
    private static final URI ENDPOINT = URI.create(System.getenv("AWS_ENDPOINT_URL"));
    private static final S3Client S3 = S3Client.builder().endpointOverride(ENDPOINT).forcePathStyle(true).build();
    private static final byte[] LARGE = new byte[23 << 20];
    private static Path work;

    private static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    private static void same(String what, byte[] got, byte[] want) {
        check(Arrays.equals(got, want), what + ": other bytes, " + got.length + " instead of " + want.length);
    }

    private static byte[] read(String key) {
        return S3.getObjectAsBytes(r -> r.bucket(BUCKET).key(key).checksumMode(ChecksumMode.ENABLED)).asByteArray();
    }

    private static void refused(String code, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (S3Exception error) {
            check(code.equals(error.awsErrorDetails().errorCode()), error + " instead of " + code);
            return;
        }
        throw new AssertionError("expected " + code);
    }

    private static String checksums() throws Exception {
        S3.createBucket(r -> r.bucket(BUCKET));
        S3.waiter().waitUntilBucketExists(r -> r.bucket(BUCKET));
        var algorithms = List.of(ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32_C, ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256);
        for (var algorithm : algorithms) {
            var key = "sums/" + algorithm + " ü+%";
            var body = ("summed by " + algorithm).getBytes("UTF-8");
            S3.putObject(r -> r.bucket(BUCKET).key(key).checksumAlgorithm(algorithm).metadata(Map.of("colour", "red")),
                    RequestBody.fromBytes(body));
            same(key, read(key), body);
            check("red".equals(S3.headObject(r -> r.bucket(BUCKET).key(key)).metadata().get("colour")), "metadata");
        }
        // Of unknown length to the signer: chunks with a trailer.
        S3.putObject(r -> r.bucket(BUCKET).key("streamed"),
                RequestBody.fromContentProvider(() -> new java.io.ByteArrayInputStream(LARGE), LARGE.length, "x/y"));
        same("streamed", read("streamed"), LARGE);
        refused("BadDigest", () -> S3.putObject(r -> r.bucket(BUCKET).key("wrong").checksumCRC32("AAAAAA=="), RequestBody.fromString("x")));
        return algorithms.size() + " checksums";
    }

    private static String transfers() throws Exception {
        try (var async = S3AsyncClient.builder().endpointOverride(ENDPOINT).forcePathStyle(true).multipartEnabled(true)
                .multipartConfiguration(m -> m.minimumPartSizeInBytes(5L << 20).thresholdInBytes(5L << 20)).build()) {
            Files.write(work.resolve("up"), LARGE);
            async.putObject(r -> r.bucket(BUCKET).key("large"), work.resolve("up")).join();
            check(S3.headObject(r -> r.bucket(BUCKET).key("large")).eTag().endsWith("-5\""), "not five parts");
            async.getObject(r -> r.bucket(BUCKET).key("large"), work.resolve("down")).join();
            same("large", Files.readAllBytes(work.resolve("down")), LARGE);
            async.copyObject(r -> r.sourceBucket(BUCKET).sourceKey("large").destinationBucket(BUCKET).destinationKey("copy ü+")).join();
            same("copy", read("copy ü+"), LARGE);
            var unknown = AsyncRequestBody.forBlockingInputStream(null);
            var sent = async.putObject(r -> r.bucket(BUCKET).key("unknown"), unknown);
            unknown.writeInputStream(new java.io.ByteArrayInputStream(LARGE));
            sent.join();
            same("of unknown length", async.getObject(r -> r.bucket(BUCKET).key("unknown"), AsyncResponseTransformer.toBytes()).join().asByteArray(), LARGE);
        }
        return (LARGE.length >> 20) + " MiB in parts, copied in parts, and of unknown length";
    }

    private static String listings() throws Exception {
        for (int n = 0; n < 250; n++) {
            var key = String.format("list/%04d/x", n);
            S3.putObject(r -> r.bucket(BUCKET).key(key), RequestBody.empty());
        }
        var prefixes = S3.listObjectsV2Paginator(r -> r.bucket(BUCKET).prefix("list/").delimiter("/").maxKeys(100))
                .commonPrefixes().stream().map(CommonPrefix::prefix).collect(Collectors.toList());
        check(prefixes.equals(IntStream.range(0, 250).mapToObj(n -> String.format("list/%04d/", n)).toList()), "prefixes: " + prefixes);
        var objects = prefixes.stream().map(p -> ObjectIdentifier.builder().key(p + "x").build()).toList();
        var deleted = S3.deleteObjects(r -> r.bucket(BUCKET).delete(d -> d.objects(objects)));
        check(deleted.deleted().size() == 250 && deleted.errors().isEmpty(), "errors: " + deleted.errors());
        return "250 prefixes by pages";
    }

    private static String conditions() throws Exception {
        var first = S3.putObject(r -> r.bucket(BUCKET).key("cas").ifNoneMatch("*"), RequestBody.fromString("one")).eTag();
        refused("PreconditionFailed", () -> S3.putObject(r -> r.bucket(BUCKET).key("cas").ifNoneMatch("*"), RequestBody.fromString("two")));
        S3.putObject(r -> r.bucket(BUCKET).key("cas").ifMatch(first), RequestBody.fromString("two"));
        refused("PreconditionFailed", () -> S3.putObject(r -> r.bucket(BUCKET).key("cas").ifMatch(first), RequestBody.fromString("three")));
        try {
            read("absent");
            throw new AssertionError("expected NoSuchKeyException");
        } catch (NoSuchKeyException expected) {
            return "conditional writes";
        }
    }

    private static String presigned() throws Exception {
        try (var signer = S3Presigner.builder().endpointOverride(ENDPOINT).serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build()).build()) {
            var http = HttpClient.newHttpClient();
            var put = signer.presignPutObject(p -> p.signatureDuration(Duration.ofMinutes(1)).putObjectRequest(r -> r.bucket(BUCKET).key("signed ü")));
            var sent = http.send(HttpRequest.newBuilder(put.url().toURI()).PUT(HttpRequest.BodyPublishers.ofString("by URL")).build(), HttpResponse.BodyHandlers.ofString());
            check(sent.statusCode() == 200, "presigned PUT: " + sent.statusCode() + sent.body());
            var get = signer.presignGetObject(p -> p.signatureDuration(Duration.ofMinutes(1)).getObjectRequest(r -> r.bucket(BUCKET).key("signed ü")));
            check("by URL".equals(http.send(HttpRequest.newBuilder(get.url().toURI()).build(), HttpResponse.BodyHandlers.ofString()).body()), "presigned GET");
        }
        return "presigned URLs";
    }

    private static String versions() throws Exception {
        S3.putBucketVersioning(r -> r.bucket(BUCKET).versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
        for (var body : List.of("v1", "v2")) S3.putObject(r -> r.bucket(BUCKET).key("v"), RequestBody.fromString(body));
        S3.deleteObject(r -> r.bucket(BUCKET).key("v"));
        var listed = S3.listObjectVersionsPaginator(r -> r.bucket(BUCKET).prefix("v"));
        var ids = listed.versions().stream().map(ObjectVersion::versionId).toList();
        check(ids.size() == 2 && listed.deleteMarkers().stream().count() == 1, "versions: " + ids);
        S3.copyObject(r -> r.sourceBucket(BUCKET).sourceKey("v").sourceVersionId(ids.get(1)).destinationBucket(BUCKET).destinationKey("restored"));
        same("restored", read("restored"), "v1".getBytes());
        return "versions";
    }

    private record Step(String name, Callable<String> action) {}

    public static void main(String[] args) {
        work = Path.of(args[0]);
        new Random(1).nextBytes(LARGE);
        var program = "AWS SDK for Java " + VersionInfo.SDK_VERSION;
        var begun = System.nanoTime();
        var notes = new ArrayList<String>();
        for (var step : List.of(new Step("checksums", Main::checksums), new Step("transfers", Main::transfers), new Step("listings", Main::listings),
                new Step("conditions", Main::conditions), new Step("presigned", Main::presigned), new Step("versions", Main::versions))) {
            try {
                notes.add(step.action.call());
            } catch (Throwable error) {
                System.out.println("FAILED " + program + ": " + step.name);
                error.printStackTrace(System.out);
                System.exit(1);
            }
        }
        System.out.printf("ok     %s (%d s): %s%n", program, (System.nanoTime() - begun) / 1_000_000_000, String.join("; ", notes));
        System.exit(0);
    }
}
