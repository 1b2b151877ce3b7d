
type Schemas = Omit<Database, "__InternalSupabase">

type DefaultSchema = Schemas[Extract<keyof Schemas, "public">]

type Relations<Schema extends { Tables: unknown; Views: unknown }> = Schema["Tables"] & Schema["Views"]

type Part<All, Name, Of extends string> = Name extends keyof All
  ? All[Name] extends { [part in Of]: infer Type }
    ? Type
    : never
  : never

/** A row of a table or view: `Tables<"todos">`, `Tables<{ schema: "other" }, "todos">`. */
export type Tables<
  NameOrSchema extends keyof Relations<DefaultSchema> | { schema: keyof Schemas },
  Name extends NameOrSchema extends { schema: infer Schema extends keyof Schemas }
    ? keyof Relations<Schemas[Schema]>
    : never = never,
> = NameOrSchema extends { schema: infer Schema extends keyof Schemas }
  ? Part<Relations<Schemas[Schema]>, Name, "Row">
  : Part<Relations<DefaultSchema>, NameOrSchema, "Row">

/** What an insert into a table takes. */
export type TablesInsert<
  NameOrSchema extends keyof DefaultSchema["Tables"] | { schema: keyof Schemas },
  Name extends NameOrSchema extends { schema: infer Schema extends keyof Schemas }
    ? keyof Schemas[Schema]["Tables"]
    : never = never,
> = NameOrSchema extends { schema: infer Schema extends keyof Schemas }
  ? Part<Schemas[Schema]["Tables"], Name, "Insert">
  : Part<DefaultSchema["Tables"], NameOrSchema, "Insert">

/** What an update of a table takes. */
export type TablesUpdate<
  NameOrSchema extends keyof DefaultSchema["Tables"] | { schema: keyof Schemas },
  Name extends NameOrSchema extends { schema: infer Schema extends keyof Schemas }
    ? keyof Schemas[Schema]["Tables"]
    : never = never,
> = NameOrSchema extends { schema: infer Schema extends keyof Schemas }
  ? Part<Schemas[Schema]["Tables"], Name, "Update">
  : Part<DefaultSchema["Tables"], NameOrSchema, "Update">

/** The labels of an enum. */
export type Enums<
  NameOrSchema extends keyof DefaultSchema["Enums"] | { schema: keyof Schemas },
  Name extends NameOrSchema extends { schema: infer Schema extends keyof Schemas }
    ? keyof Schemas[Schema]["Enums"]
    : never = never,
> = NameOrSchema extends { schema: infer Schema extends keyof Schemas }
  ? Name extends keyof Schemas[Schema]["Enums"]
    ? Schemas[Schema]["Enums"][Name]
    : never
  : NameOrSchema extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][NameOrSchema]
    : never

/** A composite type. */
export type CompositeTypes<
  NameOrSchema extends keyof DefaultSchema["CompositeTypes"] | { schema: keyof Schemas },
  Name extends NameOrSchema extends { schema: infer Schema extends keyof Schemas }
    ? keyof Schemas[Schema]["CompositeTypes"]
    : never = never,
> = NameOrSchema extends { schema: infer Schema extends keyof Schemas }
  ? Name extends keyof Schemas[Schema]["CompositeTypes"]
    ? Schemas[Schema]["CompositeTypes"][Name]
    : never
  : NameOrSchema extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][NameOrSchema]
    : never

