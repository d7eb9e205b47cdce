"""Checks what the template grants, and to whom, beyond what linters check.

Run it with the linters' Python, in the repository's root folder.
"""

from fnmatch import fnmatch

from cfnlint.decode import cfn_yaml

template = cfn_yaml.load("template.yaml")
resources = template["Resources"]
tag = "aws:PrincipalTag/poolhook-plugin"
tenant = "${!" + tag + "}"  # as Fn::Sub wants it
bucket = "arn:${AWS::Partition}:s3:::${BucketName}"


def listed(value):
    return value if isinstance(value, list) else [value]


def plain(value):
    """Returns a value without its intrinsic function; for !If, the value if the condition is true."""
    if isinstance(value, dict) and "Fn::If" in value:
        return plain(value["Fn::If"][1])
    if isinstance(value, dict) and len(value) == 1:
        (name, inside), = value.items()
        if name in ("Ref", "Fn::Sub"):
            return inside
        if name == "Fn::GetAtt":
            return ".".join(listed(inside))
    return value


def statements(documents):
    return [plain(each) for document in documents for each in document["Statement"]]


def of_role(name):
    policies = resources[name]["Properties"]["Policies"]
    assert "ManagedPolicyArns" not in resources[name]["Properties"], name
    return statements(policy["PolicyDocument"] for policy in policies)


def rights(of):
    """Returns (action, resource) for every statement. All statements must be Allow statements."""
    assert all(each["Effect"] == "Allow" for each in of)
    return {
        (action, plain(resource))
        for each in of
        for action in listed(each["Action"])
        for resource in listed(plain(each["Resource"]))
    }


def on(*folders):
    return {f"{bucket}/{folder}/*" for folder in folders}


def may(of, action):
    return {resource for allowed, resource in rights(of) if fnmatch(action, allowed)}


# The functions have these roles, and no permissions that SAM adds.
functions = [("Trigger", "Role"), ("Publisher", "PublishingRole"), ("Replay", "RoleOfReplay")]
for function, role in functions:
    properties = resources[function]["Properties"]
    assert properties["Role"] == {"Fn::GetAtt": [role, "Arn"]}, function
    assert "Policies" not in properties, function
assert "Globals" not in template

# The trigger reads from the bucket, and writes only to tables and dead letters.
trigger = of_role("Role")
assert {action for action, _ in rights(trigger)} == {
    "dynamodb:PutItem", "kms:Decrypt", "kms:GenerateDataKey", "logs:CreateLogStream",
    "logs:PutLogEvents", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
}
assert may(trigger, "dynamodb:PutItem") == {"TableArns"}
assert may(trigger, "s3:GetObject") == on("config", "artifacts", "releases", "dead-letters")
assert may(trigger, "s3:PutObject") == on("dead-letters")

# Replay deletes dead letters, or adds its attempt to them, and writes where it ended.
replay = of_role("RoleOfReplay")
assert {action for action, _ in rights(replay)} == {
    "dynamodb:PutItem", "kms:Decrypt", "kms:GenerateDataKey", "logs:CreateLogStream",
    "logs:PutLogEvents", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
}
assert may(replay, "s3:PutObject") == on("dead-letters") | {f"{bucket}/replay.json"}
assert may(replay, "dynamodb:PutItem") == {"TableArns"}
assert may(replay, "s3:DeleteObject") == on("dead-letters")

# The publisher reads uploads and config, and cannot write them.
publisher = of_role("PublishingRole")
assert may(publisher, "s3:GetObject") == on("config", "uploads", "artifacts", "releases", "rejections")
assert may(publisher, "s3:PutObject") == on("artifacts", "releases", "rejections")
assert may(publisher, "s3:DeleteObject") == on("rejections")
assert not may(publisher, "dynamodb:PutItem")

# Failures without a dead letter raise an alarm.
alarm = resources["ErrorsAlarm"]["Properties"]
assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/Lambda", "Errors", 0)
assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "Trigger"}}]

# A tenant can write only its own uploads. A principal without the tag can do nothing.
policy = resources["TenantUploads"]["Properties"]["PolicyDocument"]
tenants = statements([policy])
assert {action for action, _ in rights(tenants)} == {
    "kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
}
assert may(tenants, "s3:PutObject") == {f"{bucket}/uploads/{tenant}/*"}
assert may(tenants, "s3:GetObject") == {
    f"{bucket}/releases/{tenant}/*", f"{bucket}/rejections/{tenant}.json",
}
for each in tenants:
    assert each["Condition"]["Null"] == {tag: "false"}, each
    if each["Action"] == "s3:ListBucket":
        prefixes = each["Condition"]["StringLike"]["s3:prefix"]
        assert all("/${" + tag + "}" in prefix for prefix in prefixes), prefixes

# An operator changes pools and what may call the function, and reads everything else. Only
# lists cover all resources, and a role can be passed only to Cognito.
operators = statements([resources["OperatorPolicy"]["Properties"]["PolicyDocument"]])
account = "${AWS::Region}:${AWS::AccountId}"
pools = f"arn:${{AWS::Partition}}:cognito-idp:{account}:userpool/*"
assert {action for action, _ in rights(operators)} == {
    "cloudformation:DescribeStackResources", "cloudformation:DescribeStacks",
    "cognito-idp:DescribeUserPool", "cognito-idp:GetUserPoolMfaConfig",
    "cognito-idp:ListTagsForResource", "cognito-idp:ListUserPools",
    "cognito-idp:SetUserPoolMfaConfig", "cognito-idp:UpdateUserPool",
    "dynamodb:DescribeTable", "iam:PassRole", "iam:SimulatePrincipalPolicy", "kms:Decrypt",
    "lambda:AddPermission", "lambda:GetFunctionConfiguration", "lambda:GetPolicy",
    "lambda:InvokeFunction", "s3:GetObject", "s3:ListBucket",
}
assert {action for action, resource in rights(operators) if resource == "*"} == {
    "cloudformation:DescribeStackResources", "cognito-idp:ListUserPools",
}
assert may(operators, "cognito-idp:UpdateUserPool") == {pools}
assert may(operators, "lambda:AddPermission") == {"Trigger.Arn", "${Trigger.Arn}:*"}
assert may(operators, "s3:GetObject") == on("config", "artifacts", "releases", "dead-letters")
(passes,) = [each for each in operators if each["Action"] == "iam:PassRole"]
assert passes["Condition"] == {"StringEquals": {"iam:PassedToService": "cognito-idp.amazonaws.com"}}

# No statement covers all objects or any action.
everyone = trigger + replay + publisher + tenants + operators
for each in everyone:
    assert not {"NotAction", "NotResource"} & each.keys(), each
for action, resource in rights(everyone):
    assert "*" not in action and resource != f"{bucket}/*", (action, resource)
    assert not action.startswith("s3:") or resource.startswith(bucket), (action, resource)
assert "*" not in {resource for _, resource in rights(trigger + replay + publisher + tenants)}

# The bucket is private, versioned, encrypted, retained, and accepts only TLS.
made = resources["Bucket"]
assert made["DeletionPolicy"] == made["UpdateReplacePolicy"] == "Retain"
made = made["Properties"]
blocked = made["PublicAccessBlockConfiguration"]
assert len(blocked) == 4 and all(value is True for value in blocked.values())
assert made["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
assert made["VersioningConfiguration"] == {"Status": "Enabled"}
(encryption,) = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
algorithm = encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
assert algorithm == {"Fn::If": ["HasKmsKey", "aws:kms", "AES256"]}

denied = statements([resources["BucketRights"]["Properties"]["PolicyDocument"]])
assert all(each["Effect"] == "Deny" and each["Principal"] == "*" for each in denied)
for condition in [
    {"Bool": {"aws:SecureTransport": "false"}},
    {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
]:
    (each,) = [each for each in denied if each["Condition"] == condition]
    assert each["Action"] == "s3:*"
    assert {plain(resource) for resource in each["Resource"]} == {"Bucket.Arn", "${Bucket.Arn}/*"}
(letters,) = [rule for rule in made["LifecycleConfiguration"]["Rules"] if rule["Id"] == "dead-letters"]
assert letters["Prefix"] == "dead-letters/" and letters["Status"] == "Enabled"
assert letters["ExpirationInDays"] == {"Ref": "DeadLetterDays"}
