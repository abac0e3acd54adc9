#include <cairo/cairo.h>
#include <dlfcn.h>

/* Cairo is loaded when a picture is wanted and never linked: a node draws none, and linked it would need
   a dozen libraries of a desktop to start. */
struct coordinator_cairo {
    __typeof__(cairo_image_surface_create) *image_surface_create;
    __typeof__(cairo_surface_status) *surface_status;
    __typeof__(cairo_surface_write_to_png_stream) *surface_write_to_png_stream;
    __typeof__(cairo_surface_destroy) *surface_destroy;
    __typeof__(cairo_create) *create;
    __typeof__(cairo_destroy) *destroy;
    __typeof__(cairo_status) *status;
    __typeof__(cairo_set_source_rgba) *set_source_rgba;
    __typeof__(cairo_rectangle) *rectangle;
    __typeof__(cairo_move_to) *move_to;
    __typeof__(cairo_line_to) *line_to;
    __typeof__(cairo_close_path) *close_path;
    __typeof__(cairo_fill) *fill;
    __typeof__(cairo_stroke) *stroke;
    __typeof__(cairo_set_line_width) *set_line_width;
    __typeof__(cairo_set_line_join) *set_line_join;
    __typeof__(cairo_set_dash) *set_dash;
    __typeof__(cairo_select_font_face) *select_font_face;
    __typeof__(cairo_set_font_size) *set_font_size;
    __typeof__(cairo_text_extents) *text_extents;
    __typeof__(cairo_show_text) *show_text;
};

/* 0 when there is no such library, or one that lacks something. */
static inline int coordinator_load_cairo(struct coordinator_cairo *cairo) {
    void *library = dlopen("libcairo.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
#define COORDINATOR_LOAD(name)                                                  \
    *(void **)&cairo->name = dlsym(library, "cairo_" #name);                    \
    if (!cairo->name) return 0;
    COORDINATOR_LOAD(image_surface_create)
    COORDINATOR_LOAD(surface_status)
    COORDINATOR_LOAD(surface_write_to_png_stream)
    COORDINATOR_LOAD(surface_destroy)
    COORDINATOR_LOAD(create)
    COORDINATOR_LOAD(destroy)
    COORDINATOR_LOAD(status)
    COORDINATOR_LOAD(set_source_rgba)
    COORDINATOR_LOAD(rectangle)
    COORDINATOR_LOAD(move_to)
    COORDINATOR_LOAD(line_to)
    COORDINATOR_LOAD(close_path)
    COORDINATOR_LOAD(fill)
    COORDINATOR_LOAD(stroke)
    COORDINATOR_LOAD(set_line_width)
    COORDINATOR_LOAD(set_line_join)
    COORDINATOR_LOAD(set_dash)
    COORDINATOR_LOAD(select_font_face)
    COORDINATOR_LOAD(set_font_size)
    COORDINATOR_LOAD(text_extents)
    COORDINATOR_LOAD(show_text)
#undef COORDINATOR_LOAD
    return 1;
}
